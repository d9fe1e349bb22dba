import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { ProcessIdentity } from '../../worker/process-identity.ts';
import { isProcessIdentity } from '../../worker/process-identity.ts';
import { writeFileAtomic } from '../../worker/write-file-atomic.ts';
import type { WorkerQueues } from '../../worker/worker-config.ts';

/** One process under a keeper. */
export interface ChildState {
  readonly health: 'starting' | 'healthy' | 'down';
  readonly process: ProcessIdentity | null;
  /** How often it was started again after it had died. */
  readonly restarts: number;
  /** ISO time since when `health` holds. */
  readonly since: string;
  /** How it ended last, e.g. `SIGKILL`; `null` when it never did. */
  readonly lastExit: string | null;
}

/** `state.json` of a keeper: all that other processes know of it, replaced as a whole at every change. */
export interface KeeperState {
  readonly v: 1;
  readonly keeper: ProcessIdentity;
  /** Of keeper and worker. */
  readonly build: string;
  readonly version: string;
  readonly phase: 'running' | 'stopping';
  readonly address: string | null;
  readonly namespace: string;
  readonly uiUrl: string | null;
  readonly hostId: string;
  readonly queues: WorkerQueues;
  /** `null` for a keeper that only keeps a worker for a cluster. */
  readonly server: (ChildState & { readonly version: string; readonly binary: string; readonly database: string }) | null;
  readonly worker: ChildState;
  /** Whether the search attributes are there; `null` before they were looked at. */
  readonly searchAttributes: boolean | null;
  /** What is wrong now, for people. */
  readonly problem: string | null;
}

/** Folder of a keeper: its lock, state and the mark of its last use. */
export interface KeeperFiles {
  readonly lockDir: string;
  readonly stateFile: string;
  readonly workerStateFile: string;
  /** Its time of change is when a command last asked for this keeper. */
  readonly usedFile: string;
  readonly keeperLog: string;
  readonly serverLog: string;
  readonly workerLog: string;
}

/** `dir` is `keeperDir` of the home, or a folder below `workersDir`. */
export function keeperFiles(dir: string, logsDir: string): KeeperFiles {
  const at = (name: string): string => path.join(dir, name);
  const log = (name: string): string => path.join(logsDir, name);
  return {
    lockDir: at('lock'),
    stateFile: at('state.json'),
    workerStateFile: at('worker.json'),
    usedFile: at('used'),
    keeperLog: log('keeper.log'),
    serverLog: log('server.log'),
    workerLog: log('worker.log'),
  };
}

/** Replaces the file as a whole. */
export function writeKeeperState(file: string, state: KeeperState): void {
  writeFileAtomic(file, `${JSON.stringify(state, null, 2)}\n`);
}

/** `undefined` when there is none, half of one after a loss of power, or one of a version we do not know. */
export function readKeeperState(file: string): KeeperState | undefined {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const state = value as Partial<KeeperState> | null;
  return state?.v === 1 && isProcessIdentity(state.keeper) && state.worker !== undefined && state.queues !== undefined
    ? (state as KeeperState)
    : undefined;
}
