import { Client } from '@temporalio/client';
import type { LoadedDataConverter } from '@temporalio/common';
import { secureHome } from '../activities/store/secure-home.ts';
import { dataConverterFor } from '../worker/data-converter.ts';
import { readEncryption } from '../worker/encryption-keys.ts';
import { isRunning } from '../worker/process-identity.ts';
import type { CliIo } from './cli/io.ts';
import type { ConnectionOptions } from './cli/options.ts';
import type { LinkedServer } from './follow/server-link.ts';
import { homeOf } from './home.ts';
import { connect, wantsCluster } from './processes/connect.ts';
import { ensureKeeper, type Endpoint } from './processes/ensure-keeper.ts';
import { filesOf } from './processes/keeper-config.ts';
import { readKeeperState } from './processes/keeper-state.ts';

/** A Temporal server that answered just now. Whoever opened it closes the connection. */
export interface OpenServer extends LinkedServer {
  readonly client: Client;
  readonly converter: LoadedDataConverter;
  /** Base URL of the Web UI, when known. */
  readonly ui: string | undefined;
  readonly queues: Endpoint['queues'];
  /** `host:port` */
  readonly address: string;
  /** False: workflows must not set search attributes. */
  readonly searchAttributes: boolean;
}

export interface ServerChoice extends ConnectionOptions {
  /** True = a worker polls when this resolves; false = one must already; `ignore` = for verbs that only look. */
  readonly worker: boolean | 'ignore';
}

/** The server of these options: a cluster when one is named, else our own, started if need be. Throws what `connect` throws. */
export async function openServer(choice: ServerChoice, io: CliIo, onProgress: (text: string) => void): Promise<OpenServer> {
  const dataConverter = dataConverterFor(readEncryption(io.env), 'client');
  const { home } = homeOf(io);
  secureHome(home);
  const { connection, endpoint } = await connect({ ...choice, home, env: { ...io.env }, onProgress });
  const client = new Client({ connection, namespace: endpoint.namespace, dataConverter });
  return {
    connection,
    client,
    converter: client.options.loadedDataConverter,
    namespace: endpoint.namespace,
    ui: endpoint.uiUrl ?? undefined,
    queues: endpoint.queues,
    address: endpoint.address,
    searchAttributes: endpoint.searchAttributes,
  };
}

/**
 * Starts a keeper again that died under a run we follow: server and worker live on without it, but nobody would restart them.
 * Leaves a living one alone, also of another build: two followers of different builds must not replace each other's worker.
 */
export async function reviveKeeper(choice: ServerChoice, io: CliIo): Promise<void> {
  const env = { ...io.env };
  if (wantsCluster({ address: choice.address, profile: choice.profile, env })) return;
  const { home } = homeOf(io);
  const state = readKeeperState(filesOf({ home, kind: 'embedded', binary: '' }).stateFile);
  if (state && isRunning(state.keeper)) return;
  await ensureKeeper(home, { env });
}
