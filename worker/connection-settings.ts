import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { ClientConnectConfig } from '@temporalio/envconfig';

/** What decides where the server is. */
export interface ConnectionChoice {
  readonly embedded: boolean;
  readonly address?: string;
  readonly namespace?: string;
  readonly profile?: string;
}

/** Address, TLS, API key and namespace for `Connection.connect` and `NativeConnection.connect`. */
export interface ConnectionSettings {
  readonly address: string;
  readonly namespace: string;
  readonly connectionOptions: ClientConnectConfig['connectionOptions'];
}

export const DEFAULT_ADDRESS = '127.0.0.1:7233';
export const DEFAULT_NAMESPACE = 'default';

/**
 * Flags win over `TEMPORAL_*`, which win over the profile in Temporal's own configuration file. Throws with code
 * `TEMPORAL_CONFIG` when a named profile does not exist or the file cannot be read.
 */
export function connectionSettings(choice: ConnectionChoice, env: NodeJS.ProcessEnv): ConnectionSettings {
  if (choice.embedded) {
    const address = choice.address ?? DEFAULT_ADDRESS;
    return { address, namespace: choice.namespace ?? DEFAULT_NAMESPACE, connectionOptions: { address } };
  }
  const overrideEnvVars: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) if (value !== undefined) overrideEnvVars[name] = value;
  let loaded: ClientConnectConfig;
  try {
    loaded = loadClientConnectConfig({ overrideEnvVars, ...(choice.profile === undefined ? {} : { profile: choice.profile }) });
  } catch (error) {
    const message = `Temporal's configuration cannot be used: ${error instanceof Error ? error.message : String(error)}`;
    throw Object.assign(new Error(message, { cause: error }), { code: 'TEMPORAL_CONFIG' });
  }
  const address = choice.address ?? loaded.connectionOptions.address ?? DEFAULT_ADDRESS;
  return {
    address,
    namespace: choice.namespace ?? loaded.namespace ?? DEFAULT_NAMESPACE,
    connectionOptions: { ...loaded.connectionOptions, address },
  };
}
