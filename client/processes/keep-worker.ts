import path from 'node:path';
import { programDir, readBuildInfo } from '../../worker/build-info.ts';
import { logLine } from '../../worker/json-log.ts';
import { workerArguments } from '../../worker/worker-config.ts';
import { readWorkerState } from '../../worker/worker-state.ts';
import { baseEnvironment } from './base-environment.ts';
import { findProcesses } from './find-processes.ts';
import type { Keeper } from './keeper.ts';
import { createBackoff, pause } from './keeper.ts';
import type { ChildState } from './keeper-state.ts';
import { messageOf } from './process-error.ts';
import type { SupervisedProcess } from './supervised-process.ts';
import { startDetached, stopProcess } from './supervised-process.ts';

/** The worker's own limit for a hung activity is 20 s. */
const STOP_GRACE_MS = 25_000;
/** A left-over worker only has to let go of its commands; they live on whatever happens to it. */
const ORPHAN_GRACE_MS = 3000;

/** How a problem of ours begins, so that we take back no other one. */
const WORKER_PROBLEM = 'the worker ended:';

/** Keeps one worker of this build alive, as soon as there is an address to connect to. */
export function keepWorker(keeper: Keeper): { running: Promise<void>; stop: () => Promise<void> } {
  let current: SupervisedProcess | undefined;
  let state: ChildState = { health: 'down', process: null, restarts: 0, since: new Date().toISOString(), lastExit: null };
  const change = (part: Partial<ChildState>): void => {
    state = { ...state, ...part, since: new Date().toISOString() };
    keeper.update({ worker: state });
  };
  const running = (async () => {
    await endOrphans(keeper);
    const backoff = createBackoff();
    while (!keeper.stop.aborted) {
      const address = keeper.state().address;
      if (address === null) {
        if (!(await pause(keeper.stop, 10))) return;
        continue;
      }
      const startedAt = Date.now();
      let moved = false;
      try {
        const worker = await launch(keeper, address);
        current = worker;
        change({ health: 'starting', process: worker.identity });
        const life = { over: false };
        const watching = (async () => {
          await waitForPolling(keeper, worker, life, () => {
            change({ health: 'healthy' });
            if (keeper.state().problem?.startsWith(WORKER_PROBLEM)) keeper.update({ problem: null });
          });
          moved = await addressChanges(keeper, address, life);
          if (moved) await stopProcess(worker.identity, ORPHAN_GRACE_MS);
        })();
        const lastExit = await worker.exited;
        life.over = true;
        await watching;
        change({ health: 'down', process: null, lastExit });
      } catch (error) {
        change({ health: 'down', process: null, lastExit: messageOf(error) });
      }
      if (moved) continue;
      if (keeper.stop.aborted) return;
      change({ restarts: state.restarts + 1 });
      keeper.update({ problem: `${WORKER_PROBLEM} ${state.lastExit}` });
      logLine('WARN', 'worker is down', { lastExit: state.lastExit, restarts: state.restarts });
      if (!(await pause(keeper.stop, backoff.next(Date.now() - startedAt)))) return;
    }
  })();
  return {
    running,
    stop: async () => {
      if (current !== undefined) await stopProcess(current.identity, STOP_GRACE_MS);
      await running.catch((error: unknown) => logLine('WARN', 'worker loop ended badly', { error }));
    },
  };
}

async function launch(keeper: Keeper, address: string): Promise<SupervisedProcess> {
  const { config, files } = keeper;
  const { namespace, queues } = keeper.state();
  const args = workerArguments({
    home: config.home,
    embedded: config.kind === 'embedded',
    address,
    namespace,
    ...(config.kind === 'cluster' && config.profile !== undefined ? { profile: config.profile } : {}),
    queues,
    stateFile: files.workerStateFile,
  });
  const worker = await startDetached({
    command: process.execPath,
    args: ['--enable-source-maps', path.join(programDir(), 'worker', 'main.js'), ...args],
    env: baseEnvironment(process.env, { temporal: config.kind === 'cluster' }),
    cwd: config.home,
    logFile: files.workerLog,
  });
  logLine('INFO', 'worker started', { pid: worker.identity.pid, build: readBuildInfo().build });
  return worker;
}

/** A worker of this folder that is not ours: its keeper was killed, or it is of another build. */
async function endOrphans(keeper: Keeper): Promise<void> {
  const orphans = findProcesses(['--state-file', keeper.files.workerStateFile]);
  for (const { identity } of orphans) {
    logLine('INFO', 'ending a left-over worker', { pid: identity.pid });
    await stopProcess(identity, ORPHAN_GRACE_MS);
  }
}

/** Calls back when the worker's state file says that it polls; returns without when its life is over. */
async function waitForPolling(
  keeper: Keeper,
  worker: SupervisedProcess,
  life: { readonly over: boolean },
  onPolling: () => void,
): Promise<void> {
  while (!life.over && !keeper.stop.aborted) {
    const state = readWorkerState(keeper.files.workerStateFile);
    if (
      state?.phase === 'polling' &&
      state.process.pid === worker.identity.pid &&
      state.process.startTicks === worker.identity.startTicks
    ) {
      onPolling();
      return;
    }
    if (!(await pause(keeper.stop, 20))) return;
  }
}

/** True when the server came back on another port: the worker would look for it at the old one for ever. */
async function addressChanges(keeper: Keeper, address: string, life: { readonly over: boolean }): Promise<boolean> {
  while (!life.over && !keeper.stop.aborted) {
    const now = keeper.state().address;
    if (now !== null && now !== address) return true;
    if (!(await pause(keeper.stop, 200))) return false;
  }
  return false;
}
