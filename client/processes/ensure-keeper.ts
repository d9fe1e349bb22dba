import { closeSync, mkdirSync, openSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { secureHome } from '../../activities/store/secure-home.ts';
import { answers } from '../../worker/answers.ts';
import { programDir, readBuildInfo } from '../../worker/build-info.ts';
import { isRunning, signalProcess } from '../../worker/process-identity.ts';
import type { WorkerQueues } from '../../worker/worker-config.ts';
import { baseEnvironment } from './base-environment.ts';
import type { KeeperConfig } from './keeper-config.ts';
import { filesOf, keeperArguments } from './keeper-config.ts';
import type { KeeperFiles, KeeperState } from './keeper-state.ts';
import { readKeeperState } from './keeper-state.ts';
import { locateTemporal } from './locate-temporal.ts';
import { logTail } from './log-tail.ts';
import { processError } from './process-error.ts';
import type { SupervisedProcess } from './supervised-process.ts';
import { startDetached } from './supervised-process.ts';

/** Where runs of this home go. */
export interface Endpoint {
  readonly address: string;
  readonly namespace: string;
  /** Web UI, without a trailing slash; `null` when not known. */
  readonly uiUrl: string | null;
  /** Build id of keeper and worker: our own. */
  readonly build: string;
  readonly hostId: string;
  readonly queues: WorkerQueues;
  /** False: workflows must not set search attributes. */
  readonly searchAttributes: boolean;
}

export interface EnsureOptions {
  readonly env: NodeJS.ProcessEnv;
  /** `--temporal-bin` */
  readonly binary?: string;
  /** Wait until the worker polls; default true. */
  readonly worker?: boolean;
  /** Default 60,000; an installation of the binary is not counted. */
  readonly timeoutMs?: number;
  readonly onProgress?: (text: string) => void;
}

/** So many in front of our eyes are no accident. */
const GIVE_UP_AFTER_DEATHS = 4;

/**
 * Makes sure that the embedded server and a worker of this very build run, and says where. Costs some milliseconds when they do. Any number
 * of callers at once is fine: keepers are started freely, only one of them gets the lock.
 * Throws `TEMPORAL_NOT_FOUND` (no binary to be had) or `KEEPER_FAILED` (with the last lines of the log).
 */
export async function ensureKeeper(home: string, options: EnsureOptions): Promise<Endpoint> {
  let binary: string | undefined;
  const config = async (): Promise<KeeperConfig> => {
    binary ??= (await locateTemporal({ ...options, home })).path;
    return { home: path.resolve(home), kind: 'embedded', binary };
  };
  const state = await ensureRunning(filesOf({ home: path.resolve(home), kind: 'embedded', binary: '' }), config, options);
  return endpointOf(state);
}

/** As {@link ensureKeeper}, for a keeper that only keeps a worker for a cluster. */
export async function ensureClusterWorker(config: KeeperConfig & { kind: 'cluster' }, options: EnsureOptions): Promise<Endpoint> {
  return endpointOf(await ensureRunning(filesOf(config), async () => config, options));
}

async function ensureRunning(files: KeeperFiles, config: () => Promise<KeeperConfig>, options: EnsureOptions): Promise<KeeperState> {
  const { build } = readBuildInfo();
  const wantsWorker = options.worker ?? true;
  const timeoutMs = options.timeoutMs ?? 60_000;
  let deadline = Date.now() + timeoutMs;
  let started: SupervisedProcess | undefined;
  let ended: string | undefined;
  let watched: number | undefined;
  let deathsBefore = 0;
  let marked = 0;
  for (;;) {
    // We are waiting for it, so it is not idle.
    if (Date.now() - marked > 500) {
      marked = Date.now();
      markUse(files);
    }
    const state = readKeeperState(files.stateFile);
    const keeperRuns = state !== undefined && isRunning(state.keeper);
    if (keeperRuns && state.phase === 'running') {
      if (state.build !== build) {
        // Commands of running steps live on; the server stays, the next keeper adopts it.
        options.onProgress?.(`replacing the worker of build ${state.build} by one of build ${build}`);
        signalProcess(state.keeper, 'SIGHUP');
        await waitWhile(() => isRunning(state.keeper), deadline);
        continue;
      }
      if (await isReady(state, wantsWorker)) return state;
      const deaths = (state.server?.restarts ?? 0) + (wantsWorker ? state.worker.restarts : 0);
      if (state.keeper.pid !== watched) [watched, deathsBefore] = [state.keeper.pid, deaths];
      // It would go on trying for ever; we would rather say why.
      if (deaths - deathsBefore >= GIVE_UP_AFTER_DEATHS) throw failed(state.problem ?? 'server or worker end again and again', files);
    } else if (!keeperRuns && ended !== undefined) {
      if (ended !== 'exit 0') throw failed(`the keeper ended with ${ended}`, files);
      // Another keeper won the lock and has yet to say so, or ours stopped again: look once more before the next one is started.
      started = ended = undefined;
      await sleep(200);
    } else if (!keeperRuns && started === undefined) {
      const searchedAt = Date.now();
      const known = await config();
      // Finding the binary may have meant to install it.
      deadline += Date.now() - searchedAt;
      started = await startKeeper(known, files, options.env);
      ended = undefined;
      const child = started;
      void child.exited.then((text) => {
        if (child === started) ended = text;
      });
    }
    if (Date.now() > deadline) {
      const what = state?.problem ?? `server ${state?.server?.health ?? 'unknown'}, worker ${state?.worker.health ?? 'unknown'}`;
      throw failed(`not ready after ${Math.round(timeoutMs / 1000)} s: ${what}`, files);
    }
    await sleep(15);
  }
}

async function isReady(state: KeeperState, wantsWorker: boolean): Promise<boolean> {
  if (state.address === null || (wantsWorker && state.worker.health !== 'healthy')) return false;
  if (state.server === null) return true;
  // The state tells what the keeper saw last; a server that was killed this instant does not answer.
  return state.server.health === 'healthy' && (await answers(state.address, 1000));
}

async function startKeeper(config: KeeperConfig, files: KeeperFiles, env: NodeJS.ProcessEnv): Promise<SupervisedProcess> {
  secureHome(config.home);
  return startDetached({
    command: process.execPath,
    args: ['--enable-source-maps', path.join(programDir(), 'client', 'processes', 'keeper-main.js'), ...keeperArguments(config)],
    env: baseEnvironment(env, { temporal: config.kind === 'cluster' }),
    cwd: config.home,
    logFile: files.keeperLog,
  });
}

/** Before the state is read: see {@link watchIdle} of the keeper. */
function markUse(files: KeeperFiles): void {
  mkdirSync(path.dirname(files.usedFile), { recursive: true });
  closeSync(openSync(files.usedFile, 'a'));
  const now = new Date();
  utimesSync(files.usedFile, now, now);
}

async function waitWhile(condition: () => boolean, deadline: number): Promise<void> {
  while (condition() && Date.now() < deadline) await sleep(20);
}

function endpointOf(state: KeeperState): Endpoint {
  const { address, namespace, uiUrl, build, hostId, queues, searchAttributes } = state;
  if (address === null) throw new Error('a ready keeper has an address');
  return { address, namespace, uiUrl, build, hostId, queues, searchAttributes: searchAttributes ?? false };
}

function failed(what: string, files: KeeperFiles): Error {
  const tail = [files.keeperLog, files.serverLog, files.workerLog].flatMap((file) => logTail(file, 8).map((line) => `  ${line}`));
  return processError('KEEPER_FAILED', [what, `logs in ${path.dirname(files.keeperLog)}, their last lines:`, ...tail].join('\n'));
}
