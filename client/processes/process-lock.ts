import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessIdentity } from '../../worker/process-identity.ts';
import { isProcessIdentity, isRunning, ownIdentity } from '../../worker/process-identity.ts';
import { processError } from './process-error.ts';

/** Held until released or until this process dies, however it dies. */
export interface ProcessLock {
  release(): void;
}

/** What acquiring found. */
export type LockAttempt =
  | { readonly kind: 'held'; readonly lock: ProcessLock }
  | { readonly kind: 'busy'; readonly holder: ProcessIdentity };

const PREFIX = 'generation.';

/**
 * An exclusive lock between processes of one host, kept in a folder of its own.
 *
 * The folder holds `generation.<n>`; the highest one names the owner, or says that it was released. Taking the lock means to create
 * generation n+1 by `link`, which only one process can do, after the owner of n was found dead or gone. The number never falls (a release
 * replaces the content and keeps the file), so a process that slept between looking and linking finds a higher generation afterwards and
 * has lost. Deleting a stale lock file, the usual way, lets two processes delete each other's fresh one.
 */
export function tryLock(folder: string): LockAttempt {
  mkdirSync(folder, { recursive: true });
  const me = ownIdentity();
  const temporary = path.join(folder, `new.${me.pid}.${randomBytes(4).toString('hex')}`);
  writeFileSync(temporary, JSON.stringify(me));
  try {
    for (;;) {
      const highest = highestGeneration(folder);
      const holder = readHolder(path.join(folder, PREFIX + highest));
      if (holder !== undefined && isRunning(holder)) return { kind: 'busy', holder };
      const mine = path.join(folder, PREFIX + (highest + 1));
      if (!tryLink(temporary, mine)) continue;
      if (highestGeneration(folder) > highest + 1) {
        rmSync(mine, { force: true });
        continue;
      }
      removeLower(folder, highest + 1);
      return { kind: 'held', lock: { release: () => release(folder, mine, me) } };
    }
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Waits for the lock; throws with code `LOCK_TIMEOUT` after `withinMs`. */
export async function acquireLock(folder: string, withinMs: number, onWait?: (holder: ProcessIdentity) => void): Promise<ProcessLock> {
  const deadline = Date.now() + withinMs;
  for (let waited = false; ; waited = true) {
    const attempt = tryLock(folder);
    if (attempt.kind === 'held') return attempt.lock;
    if (!waited) onWait?.(attempt.holder);
    if (Date.now() > deadline) {
      throw processError('LOCK_TIMEOUT', `process ${attempt.holder.pid} has held ${folder} for more than ${Math.round(withinMs / 1000)} s`);
    }
    await sleep(50);
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function generations(folder: string): number[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith(PREFIX))
    .map((name) => Number(name.slice(PREFIX.length)))
    .filter((n) => Number.isSafeInteger(n));
}

function highestGeneration(folder: string): number {
  return Math.max(0, ...generations(folder));
}

function removeLower(folder: string, mine: number): void {
  for (const n of generations(folder)) if (n < mine) rmSync(path.join(folder, PREFIX + n), { force: true });
}

/** Text that is no identity: released, or torn by a loss of power, after which every holder is dead anyway. */
function readHolder(file: string): ProcessIdentity | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return isProcessIdentity(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function release(folder: string, mine: string, me: ProcessIdentity): void {
  const holder = readHolder(mine);
  if (holder?.pid !== me.pid || holder.startTicks !== me.startTicks) return;
  const released = path.join(folder, `released.${me.pid}.${randomBytes(4).toString('hex')}`);
  writeFileSync(released, JSON.stringify({ released: new Date().toISOString() }));
  renameSync(released, mine);
}
