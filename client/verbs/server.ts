import { homePaths, resolveHome } from '../../activities/store/home-paths.ts';
import { isRunning, signalProcess } from '../../worker/process-identity.ts';
import { notSupportedYet } from '../cli/cli-error.ts';
import type { CliIo } from '../cli/io.ts';
import type { KeeperFiles, KeeperState } from '../processes/keeper-state.ts';
import { keeperFiles, readKeeperState } from '../processes/keeper-state.ts';
import { logTail } from '../processes/log-tail.ts';
import { processError } from '../processes/process-error.ts';
import { waitUntilGone } from '../processes/supervised-process.ts';

export type ServerAction = 'start' | 'stop' | 'status' | 'logs' | 'enable' | 'backup';

export interface ServerOptions {
  /** One JSON document on stdout (`status`, `start`). */
  readonly json?: boolean;
  /** Lines per file for `logs`; default 50. */
  readonly lines?: number;
  /** `--temporal-bin` */
  readonly temporalBin?: string;
}

/** Longer than worker (25 s) and server (10 s) may take together. */
const STOP_WITHIN_MS = 60_000;

/** `onetear server ACTION`: the keeper of this home with its server and worker. Exit 0; `status` ends with 11 when the server is not up. */
export async function server(action: ServerAction, options: ServerOptions, io: CliIo): Promise<number> {
  if (action === 'enable' || action === 'backup') throw notSupportedYet(`onetear server ${action}`);
  const { home, keeperDir, logsDir } = homePaths(resolveHome(io.env));
  const files = keeperFiles(keeperDir, logsDir);
  if (action === 'stop') return stop(files, io);
  if (action === 'logs') return logs(files, options.lines ?? 50, io);
  if (action === 'start') {
    const { ensureKeeper } = await import('../processes/ensure-keeper.ts');
    await ensureKeeper(home, {
      env: { ...io.env },
      onProgress: (text) => io.err(`${text}\n`),
      ...(options.temporalBin === undefined ? {} : { binary: options.temporalBin }),
    });
  }
  return status(files, options, io);
}

async function stop(files: KeeperFiles, io: CliIo): Promise<number> {
  const state = readKeeperState(files.stateFile);
  if (state === undefined || !isRunning(state.keeper)) {
    // What a killed keeper left behind is ours to end as well.
    const { endLeftovers } = await import('../processes/end-leftovers.ts');
    const ended = await endLeftovers(files, homePaths(resolveHome(io.env)).serverDir);
    io.err(ended === 0 ? 'not running\n' : `stopped ${ended} process${ended === 1 ? '' : 'es'} without a keeper\n`);
    return 0;
  }
  signalProcess(state.keeper, 'SIGTERM');
  if (!(await waitUntilGone(state.keeper, STOP_WITHIN_MS))) {
    throw processError('KEEPER_FAILED', `the keeper (pid ${state.keeper.pid}) did not stop within ${STOP_WITHIN_MS / 1000} s`);
  }
  io.err('stopped; open runs go on at the next start\n');
  return 0;
}

/** `{v, home, running, …}`: what `server status --json` prints. */
function statusDocument(state: KeeperState | undefined): Readonly<Record<string, unknown>> {
  const running = state !== undefined && isRunning(state.keeper);
  if (!running) return { v: 1, running: false };
  const child = (of: KeeperState['worker'] | null): unknown =>
    of && {
      health: of.health,
      pid: of.process?.pid ?? null,
      restarts: of.restarts,
      since: of.since,
      last_exit: of.lastExit,
    };
  const { server } = state;
  return {
    v: 1,
    running: true,
    phase: state.phase,
    address: state.address,
    namespace: state.namespace,
    ui: state.uiUrl,
    version: state.version,
    build: state.build,
    keeper: { pid: state.keeper.pid },
    server: server && { ...(child(server) as object), version: server.version, database: server.database, binary: server.binary },
    worker: child(state.worker),
    task_queues: state.queues,
    search_attributes: state.searchAttributes,
    problem: state.problem,
  };
}

function status(files: KeeperFiles, options: ServerOptions, io: CliIo): number {
  const state = readKeeperState(files.stateFile);
  const healthy = state !== undefined && isRunning(state.keeper) && state.server?.health === 'healthy';
  if (options.json) {
    io.out(`${JSON.stringify(statusDocument(state), null, 2)}\n`);
    return healthy ? 0 : 11;
  }
  if (state === undefined || !isRunning(state.keeper)) {
    io.out('not running; the next run starts it, or: onetear server start\n');
    return 11;
  }
  const { server, worker } = state;
  const line = (name: string, of: KeeperState['worker'] | null): string =>
    `${name.padEnd(8)}${of?.health ?? 'down'}${of?.process ? `, pid ${of.process.pid}` : ''}${of && of.restarts > 0 ? `, restarts ${of.restarts}, last ${of.lastExit}` : ''}`;
  const lines = [
    line('server', server) + (server === null ? '' : `, Temporal ${server.version}, ${state.address}`),
    line('worker', worker) + `, build ${state.build}`,
    `keeper  ${state.phase}, pid ${state.keeper.pid}`,
    `UI      ${state.uiUrl}`,
    `logs    ${files.serverLog}, ${files.workerLog}, ${files.keeperLog}`,
    ...(state.problem === null ? [] : [`problem ${state.problem}`]),
  ];
  io.out(`${lines.join('\n')}\n`);
  return healthy ? 0 : 11;
}

function logs(files: KeeperFiles, lines: number, io: CliIo): number {
  for (const file of [files.keeperLog, files.serverLog, files.workerLog]) {
    io.err(`==> ${file}\n`);
    for (const line of logTail(file, lines)) io.out(`${line}\n`);
  }
  return 0;
}
