import path from 'node:path';
import { Connection } from '@temporalio/client';
import { DEFAULT_NAMESPACE } from '../../worker/connection-settings.ts';
import { KEY_VARIABLES } from '../../worker/encryption-keys.ts';
import { baseEnvironment } from './base-environment.ts';
import type { FoundProcess } from './find-processes.ts';
import { findProcesses } from './find-processes.ts';
import { SEARCH_ATTRIBUTES } from './prepare-namespace.ts';
import type { ServerPorts } from './server-ports.ts';
import type { SupervisedProcess } from './supervised-process.ts';
import { startDetached } from './supervised-process.ts';
import type { TemporalBinary } from './temporal-binary.ts';

export const EMBEDDED_NAMESPACE = DEFAULT_NAMESPACE;

/**
 * Tuning for one host. The dev server reads its transfer queue 20 times a second unless told otherwise, which doubles the cost of a serial
 * step; one partition per task queue saves forwarding hops; the rate limits are those of a shared cluster.
 */
const DYNAMIC_CONFIG: Readonly<Record<string, number | boolean | string>> = {
  'history.transferProcessorMaxPollRPS': 2000,
  'history.timerProcessorMaxPollRPS': 200,
  // The allowance for clocks of several servers: with its default of 1 s every shorter timer (retry delay, sleep, backoff) lasts a second.
  'history.timerProcessorMaxTimeShift': '10ms',
  'matching.numTaskqueueReadPartitions': 1,
  'matching.numTaskqueueWritePartitions': 1,
  'matching.rps': 20_000,
  'frontend.rps': 20_000,
  'frontend.namespaceRPS': 20_000,
  'history.rps': 20_000,
  'frontend.namespaceRPS.visibility': 100,
  'frontend.namespaceCount': 10_000,
  // No questions to the vendor from a machine that may have no network.
  'frontend.enableServerVersionCheck': false,
};

/** The file is named after the server version: its schema is never migrated, another version may not open it. */
export function databaseFile(serverDir: string, binary: TemporalBinary): string {
  return path.join(serverDir, `temporal-${binary.serverVersion}.db`);
}

/** Starts `temporal server start-dev` detached, on loopback, with durable SQLite. */
export async function startEmbeddedServer(
  binary: TemporalBinary,
  serverDir: string,
  ports: ServerPorts,
  logFile: string,
): Promise<SupervisedProcess> {
  const flags: readonly (readonly [string, string | number])[] = [
    ['--ip', '127.0.0.1'],
    ['--port', ports.grpc],
    ['--ui-port', ports.ui],
    ['--http-port', ports.http],
    ['--metrics-port', ports.metrics],
    ['--db-filename', databaseFile(serverDir, binary)],
    ['--log-format', 'json'],
    ['--log-level', 'warn'],
    // A run must survive a loss of power, not only of the process.
    ['--sqlite-pragma', 'journal_mode=wal'],
    ['--sqlite-pragma', 'synchronous=full'],
    ...Object.entries(DYNAMIC_CONFIG).map(([key, value]) => ['--dynamic-config-value', `${key}=${JSON.stringify(value)}`] as const),
    // Only heeded when the database is new; later ones are registered through the API.
    ...SEARCH_ATTRIBUTES.map(({ name, type }) => ['--search-attribute', `${name}=${type}`] as const),
  ];
  const args = ['server', 'start-dev', '--ui-disable-news-fetch', ...flags.flatMap(([flag, value]) => [flag, String(value)])];
  const env = baseEnvironment(process.env, { temporal: false });
  // What it stores is encrypted so that it cannot read it.
  for (const name of KEY_VARIABLES) delete env[name];
  return startDetached({ command: binary.path, args, env, cwd: serverDir, logFile });
}

/** A server of this home that runs without us, because its keeper was killed. */
export interface RunningServer {
  readonly process: FoundProcess;
  readonly database: string;
  readonly binaryPath: string;
  readonly grpcPort: number;
  readonly uiPort: number;
}

/** Finds it by the database it has open, which is what must never be shared. */
export function findEmbeddedServers(serverDir: string): RunningServer[] {
  return findProcesses(['start-dev', '--db-filename']).flatMap((process) => {
    const after = (flag: string): string => process.argv[process.argv.indexOf(flag) + 1] ?? '';
    const database = after('--db-filename');
    if (path.dirname(database) !== serverDir) return [];
    const [binaryPath = ''] = process.argv;
    return [{ process, database, binaryPath, grpcPort: Number(after('--port')), uiPort: Number(after('--ui-port')) }];
  });
}

/** A connection to a server that serves our namespace now, or the reason why not. The caller closes it. */
export async function probeServer(address: string, withinMs: number): Promise<Connection> {
  const connection = await Connection.connect({ address, connectTimeout: withinMs });
  try {
    await connection.withDeadline(Date.now() + withinMs, async () =>
      connection.workflowService.describeNamespace({ namespace: EMBEDDED_NAMESPACE }),
    );
    return connection;
  } catch (error) {
    await connection.close();
    throw error;
  }
}
