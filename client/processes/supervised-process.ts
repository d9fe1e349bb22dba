import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessIdentity } from '../../worker/process-identity.ts';
import { identify, isRunning, signalProcess } from '../../worker/process-identity.ts';

/** A process that lives on when this one dies: started by us, or found running and adopted. */
export interface SupervisedProcess {
  readonly identity: ProcessIdentity;
  /** Resolves with a text for people, e.g. `exit 1` or `SIGKILL`; adopted processes only tell that they are gone. */
  readonly exited: Promise<string>;
}

export interface DetachedOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** stdout and stderr are appended here. */
  readonly logFile: string;
}

const ROTATE_ABOVE_BYTES = 20 * 1024 * 1024;
const ADOPTED_POLL_MS = 200;

/** Starts a program in a session of its own, with a log file instead of our streams. Rejects when it cannot be started at all. */
export async function startDetached(options: DetachedOptions): Promise<SupervisedProcess> {
  const log = openLog(options.logFile);
  try {
    const child = spawn(options.command, [...options.args], {
      detached: true,
      stdio: ['ignore', log, log],
      env: options.env,
      cwd: options.cwd,
    });
    const exited = new Promise<string>((resolve) => {
      child.once('exit', (code, signal) => resolve(signal ?? `exit ${code}`));
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    const pid = child.pid as number;
    // It may have died already; its own exit event says so, the identity then only has to be one that never runs.
    const identity = identify(pid) ?? { pid, startTicks: 'gone', bootId: 'gone' };
    child.unref();
    return { identity, exited };
  } finally {
    closeSync(log);
  }
}

/** Watches a process that is not our child. */
export function adopt(identity: ProcessIdentity): SupervisedProcess {
  return { identity, exited: waitUntilGone(identity, Number.POSITIVE_INFINITY).then(() => 'gone') };
}

/** SIGTERM, then SIGKILL when it is not gone after the grace. Resolves with what it took when it is gone. */
export async function stopProcess(identity: ProcessIdentity, graceMs: number): Promise<'was gone' | 'SIGTERM' | 'SIGKILL'> {
  if (!signalProcess(identity, 'SIGTERM')) return 'was gone';
  if (await waitUntilGone(identity, graceMs)) return 'SIGTERM';
  signalProcess(identity, 'SIGKILL');
  await waitUntilGone(identity, 10_000);
  return 'SIGKILL';
}

/** True when it went within the time. */
export async function waitUntilGone(identity: ProcessIdentity, withinMs: number): Promise<boolean> {
  const deadline = Date.now() + withinMs;
  for (let pauseMs = 10; isRunning(identity); pauseMs = Math.min(pauseMs * 1.5, ADOPTED_POLL_MS)) {
    if (Date.now() > deadline) return false;
    await sleep(pauseMs);
  }
  return true;
}

/** Appends; a large file becomes `<name>.1` first, so that logs of months stay bounded by restarts. */
function openLog(file: string): number {
  mkdirSync(path.dirname(file), { recursive: true });
  try {
    if (statSync(file).size > ROTATE_ABOVE_BYTES) renameSync(file, `${file}.1`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return openSync(file, 'a');
}
