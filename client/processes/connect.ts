import { createHash } from 'node:crypto';
import path from 'node:path';
import { Connection, isGrpcServiceError } from '@temporalio/client';
import { readHostId } from '../../activities/store/host-id.ts';
import { homePaths } from '../../activities/store/home-paths.ts';
import { readBuildInfo } from '../../worker/build-info.ts';
import type { ConnectionSettings } from '../../worker/connection-settings.ts';
import { connectionSettings } from '../../worker/connection-settings.ts';
import { fingerprintsOf, keysProblem, readEncryption } from '../../worker/encryption-keys.ts';
import { readWorkerState } from '../../worker/worker-state.ts';
import type { Endpoint } from './ensure-keeper.ts';
import { ensureClusterWorker, ensureKeeper } from './ensure-keeper.ts';
import { filesOf, queuesFor } from './keeper-config.ts';
import { pollersOfBuild } from './pollers.ts';
import { registerSearchAttributes } from './prepare-namespace.ts';
import { messageOf, processError } from './process-error.ts';

export interface ConnectOptions {
  /** `$ONETEAR_HOME`, resolved. */
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
  readonly address?: string | undefined;
  readonly namespace?: string | undefined;
  readonly profile?: string | undefined;
  /** `--temporal-bin` */
  readonly binary?: string | undefined;
  /**
   * `true`: a worker of this build polls when this resolves, one is started here if need be. `false` (`--no-worker`): one must poll already.
   * `'ignore'`: for verbs that only look.
   */
  readonly worker: boolean | 'ignore';
  readonly onProgress?: (text: string) => void;
}

/** A server that answered just now. The caller closes the connection. */
export interface Target {
  readonly kind: 'embedded' | 'cluster';
  readonly connection: Connection;
  readonly endpoint: Endpoint;
}

const PROBE_MS = 3000;

/** Whether these options mean a cluster of the user and not our own server. The default profile of Temporal's file does not: it must be asked for. */
export function wantsCluster(options: Pick<ConnectOptions, 'address' | 'profile' | 'env'>): boolean {
  return Boolean(options.address || options.profile || options.env['TEMPORAL_ADDRESS'] || options.env['TEMPORAL_PROFILE']);
}

/**
 * The server of a run: the user's cluster when one is named, else the embedded server of the home, which is started.
 * Throws `TEMPORAL_UNREACHABLE` within some three seconds, `TEMPORAL_CONFIG`, `NO_WORKER`, or what {@link ensureKeeper} throws.
 */
export async function connect(options: ConnectOptions): Promise<Target> {
  if (wantsCluster(options)) return connectCluster(options);
  if (options.namespace) {
    throw processError('TEMPORAL_CONFIG', '--namespace names a namespace of a cluster: say which one with --address or --profile');
  }
  const endpoint = await ensureKeeper(options.home, {
    env: options.env,
    // The keeper always has a worker; whoever brings his own does not wait for it.
    worker: options.worker === true,
    ...(options.binary === undefined ? {} : { binary: options.binary }),
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
  });
  if (options.worker !== 'ignore') {
    const { workerStateFile } = filesOf({ home: path.resolve(options.home), kind: 'embedded', binary: '' });
    const worker = readWorkerState(workerStateFile);
    if (worker !== undefined) {
      checkKeys(
        options.env,
        worker.keys,
        'onetear server stop, then start again with the same keys (runs that go on need the old ones, too)',
      );
    }
  }
  const connection = await probe({ ...endpoint, connectionOptions: { address: endpoint.address } });
  return { kind: 'embedded', connection, endpoint };
}

async function connectCluster(options: ConnectOptions): Promise<Target> {
  const { address, namespace, profile } = options;
  const choice = {
    embedded: false,
    ...(address ? { address } : {}),
    ...(namespace ? { namespace } : {}),
    ...(profile ? { profile } : {}),
  };
  const settings = connectionSettings(choice, options.env);
  const connection = await probe(settings);
  try {
    const hostId = readHostId(homePaths(options.home).hostIdFile);
    const { build } = readBuildInfo();
    const queues = queuesFor('cluster', hostId);
    let searchAttributes = false;
    if (options.worker !== 'ignore') {
      const outcome = await registerSearchAttributes(connection, settings.namespace);
      searchAttributes = outcome.registered;
      if (outcome.problem !== undefined) options.onProgress?.(`runs cannot be filtered in Temporal's UI: ${outcome.problem}`);
      await haveWorker(options, connection, settings, { build, hostId, queues });
    }
    const uiUrl = options.env['ONETEAR_UI_URL']?.replace(/\/+$/, '') || null;
    const endpoint = { address: settings.address, namespace: settings.namespace, uiUrl, build, hostId, queues, searchAttributes };
    return { kind: 'cluster', connection, endpoint };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** Connects and asks for the namespace, so that what is wrong is said now and in plain words. */
async function probe(settings: ConnectionSettings): Promise<Connection> {
  let connection: Connection;
  try {
    connection = await Connection.connect({ ...settings.connectionOptions, connectTimeout: PROBE_MS });
  } catch (error) {
    throw processError('TEMPORAL_UNREACHABLE', `no Temporal server answers at ${settings.address}: ${messageOf(error)}`, error);
  }
  try {
    await connection.withDeadline(Date.now() + PROBE_MS, async () =>
      connection.workflowService.describeNamespace({ namespace: settings.namespace }),
    );
    return connection;
  } catch (error) {
    await connection.close();
    const what = isGrpcServiceError(error) ? error.details || error.message : messageOf(error);
    throw processError('TEMPORAL_UNREACHABLE', `namespace ${settings.namespace} at ${settings.address} cannot be used: ${what}`, error);
  }
}

/** Workflows need a worker anywhere, local nodes and files one on this host. */
async function haveWorker(
  options: ConnectOptions,
  connection: Connection,
  settings: ConnectionSettings,
  own: Pick<Endpoint, 'build' | 'hostId' | 'queues'>,
): Promise<void> {
  const { build, hostId, queues } = own;
  const { namespace } = settings;
  const [workflows, local] = await Promise.all([
    pollersOfBuild(connection, { namespace, queue: queues.main, kind: 'workflow', build, hostId }),
    pollersOfBuild(connection, { namespace, queue: queues.host, kind: 'activity', build, hostId }),
  ]);
  for (const { keys, pid, hostId: host } of [...workflows, ...local]) {
    checkKeys(options.env, keys, `it is process ${pid} on host ${host}: give all workers of the namespace the same keys`);
  }
  if (workflows.length > 0 && local.length > 0) return;
  if (options.worker === false) {
    const queue = workflows.length === 0 ? queues.main : queues.host;
    const flags = [
      `--address ${settings.address}`,
      `--namespace ${namespace}`,
      ...(options.profile ? [`--profile ${options.profile}`] : []),
    ];
    throw processError(
      'NO_WORKER',
      `no worker of build ${build} polls task queue ${queue}. Run this on this host, or leave out --no-worker:\n  onetear worker ${flags.join(' ')}`,
    );
  }
  options.onProgress?.(`starting a worker for ${settings.address} on this host`);
  const id = createHash('sha256')
    .update(JSON.stringify([settings.address, namespace, options.profile ?? '']))
    .digest('hex')
    .slice(0, 12);
  const profile = options.profile || options.env['TEMPORAL_PROFILE'];
  const config = {
    home: path.resolve(options.home),
    kind: 'cluster',
    id,
    address: settings.address,
    namespace,
    ...(profile ? { profile } : {}),
  } as const;
  await ensureClusterWorker(config, { env: options.env });
  const started = readWorkerState(filesOf(config).workerStateFile);
  if (started !== undefined) checkKeys(options.env, started.keys, 'it runs on this host since before: end it, and start again');
}

/** A run whose worker cannot read what we write, or we what it writes, would stand still for ever. */
function checkKeys(env: NodeJS.ProcessEnv, worker: readonly string[], what: string): void {
  const problem = keysProblem(fingerprintsOf(readEncryption(env)), worker);
  if (problem !== undefined) throw processError('ENCRYPTION_KEYS', `${problem}; ${what}`);
}
