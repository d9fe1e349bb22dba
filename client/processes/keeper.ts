import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { homePaths } from '../../activities/store/home-paths.ts';
import { readHostId } from '../../activities/store/host-id.ts';
import { readBuildInfo } from '../../worker/build-info.ts';
import { logLine } from '../../worker/json-log.ts';
import { ownIdentity } from '../../worker/process-identity.ts';
import { EMBEDDED_NAMESPACE } from './embedded-server.ts';
import { idleTimeoutMs, watchIdle } from './idle.ts';
import { keepServer } from './keep-server.ts';
import { keepWorker } from './keep-worker.ts';
import type { KeeperConfig } from './keeper-config.ts';
import { filesOf, queuesFor } from './keeper-config.ts';
import type { ChildState, KeeperFiles, KeeperState } from './keeper-state.ts';
import { writeKeeperState } from './keeper-state.ts';
import { messageOf } from './process-error.ts';
import { tryLock } from './process-lock.ts';

/** Why a keeper ends: `handover` leaves the server to the keeper of another build. */
export type StopReason = 'stop' | 'handover' | 'idle';

/** What the loops of a keeper share. */
export interface Keeper {
  readonly config: KeeperConfig;
  readonly files: KeeperFiles;
  readonly state: () => KeeperState;
  /** Changes and publishes the state. */
  readonly update: (change: Partial<KeeperState>) => void;
  /** Aborted when the keeper must end; the reason is a {@link StopReason}. */
  readonly stop: AbortSignal;
}

export const NO_CHILD: ChildState = { health: 'down', process: null, restarts: 0, since: new Date(0).toISOString(), lastExit: null };

/**
 * One keeper per folder, by an exclusive lock: the parent of the embedded server and of one worker. It starts either again when it dies and
 * ends by itself when nothing of ours is left to do.
 * If it dies at any line: server and worker live on. The next keeper finds them by their arguments, adopts the server, replaces the worker.
 * SIGTERM and SIGINT stop worker, then server; SIGHUP hands the server over. Returns at once when another keeper holds the lock.
 */
export async function runKeeper(config: KeeperConfig): Promise<void> {
  const files = filesOf(config);
  const attempt = tryLock(files.lockDir);
  if (attempt.kind === 'busy') {
    logLine('INFO', 'another keeper is here', { pid: attempt.holder.pid });
    return;
  }
  // Children hold no reference to the event loop: a moment in which only their end is awaited would end us.
  const alive = setInterval(() => {}, 60_000);
  const controller = new AbortController();
  const stopFor = (reason: StopReason): void => {
    if (controller.signal.aborted) return;
    logLine('INFO', 'keeper stops', { reason });
    controller.abort(reason);
  };
  process.on('SIGTERM', () => stopFor('stop'));
  process.on('SIGINT', () => stopFor('stop'));
  process.on('SIGHUP', () => stopFor('handover'));

  let state = firstState(config);
  const keeper: Keeper = {
    config,
    files,
    state: () => state,
    update: (change) => {
      state = { ...state, ...change };
      writeKeeperState(files.stateFile, state);
    },
    stop: controller.signal,
  };
  mkdirSync(homePaths(config.home).logsDir, { recursive: true });
  keeper.update({});
  logLine('INFO', 'keeper starts', { build: state.build, pid: process.pid, kind: config.kind });

  const server = config.kind === 'embedded' ? keepServer(keeper, config.binary) : undefined;
  const worker = keepWorker(keeper);
  const idle = watchIdle(keeper, idleTimeoutMs(process.env), stopFor);
  try {
    await Promise.race([aborted(controller.signal), rejection(server?.running), rejection(worker.running), rejection(idle)]);
    keeper.update({ phase: 'stopping' });
    await worker.stop();
    await server?.stop(controller.signal.reason as StopReason);
    keeper.update({ phase: 'stopping', problem: null });
  } catch (error) {
    keeper.update({ phase: 'stopping', problem: messageOf(error) });
    // Whatever broke in us, nothing of ours may be left without a keeper and unknown.
    controller.abort('stop');
    await Promise.allSettled([worker.stop(), server?.stop('stop')]);
    throw error;
  } finally {
    clearInterval(alive);
    attempt.lock.release();
  }
}

function firstState(config: KeeperConfig): KeeperState {
  const { build, version } = readBuildInfo();
  const hostId = readHostId(homePaths(config.home).hostIdFile);
  return {
    v: 1,
    keeper: ownIdentity(),
    build,
    version,
    phase: 'running',
    address: config.kind === 'cluster' ? config.address : null,
    namespace: config.kind === 'cluster' ? config.namespace : EMBEDDED_NAMESPACE,
    uiUrl: null,
    hostId,
    queues: queuesFor(config.kind, hostId),
    server: null,
    worker: NO_CHILD,
    searchAttributes: null,
    problem: null,
  };
}

/** Resolves when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Never resolves: only a failure of a loop ends the keeper. */
async function rejection(loop: Promise<void> | undefined): Promise<never> {
  await loop;
  return new Promise<never>(() => {});
}

/** Sleeps; false when the keeper must end. */
export async function pause(stop: AbortSignal, ms: number): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal: stop });
    return true;
  } catch (error) {
    if (stop.aborted) return false;
    throw error;
  }
}

const FIRST_BACKOFF_MS = 200;
const LAST_BACKOFF_MS = 10_000;
/** Alive for this long means that the next death is a new story. */
const SETTLED_MS = 30_000;

/** 0.2 s → 10 s between restarts; from the start again after a life of 30 s. */
export function createBackoff(): { next(livedMs: number): number } {
  let delayMs = FIRST_BACKOFF_MS;
  return {
    next: (livedMs) => {
      if (livedMs >= SETTLED_MS) delayMs = FIRST_BACKOFF_MS;
      const now = delayMs;
      delayMs = Math.min(delayMs * 2, LAST_BACKOFF_MS);
      return now;
    },
  };
}
