import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { acquireLock, tryLock } from '../../client/processes/process-lock.ts';
import { bootId, identify, isRunning, ownIdentity } from '../../worker/process-identity.ts';
import { builtProgram } from './support/program.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'onetear-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('lock between processes', () => {
  test('is exclusive, and free again after release', () => {
    const first = tryLock(folder);
    const second = tryLock(folder);
    expect(first.kind).toBe('held');
    expect(second).toEqual({ kind: 'busy', holder: ownIdentity() });
    if (first.kind === 'held') first.lock.release();
    expect(tryLock(folder).kind).toBe('held');
    expect(readdirSync(folder)).toEqual(['generation.2']);
  });

  test('a release after the lock went to somebody else changes nothing', () => {
    const first = tryLock(folder);
    if (first.kind !== 'held') throw new Error('not held');
    first.lock.release();
    const second = tryLock(folder);
    first.lock.release();
    expect(second.kind).toBe('held');
    expect(tryLock(folder).kind).toBe('busy');
  });

  test('a reused pid, another boot and torn text count as dead owners', () => {
    for (const [n, text] of [
      [1, JSON.stringify({ pid: process.pid, startTicks: '1', bootId: bootId() })],
      [2, JSON.stringify({ ...ownIdentity(), bootId: 'another' })],
      [3, '{"pid": 12'],
    ] as const) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(path.join(folder, `generation.${n}`), text);
      const attempt = tryLock(folder);
      expect(attempt.kind).toBe('held');
      if (attempt.kind === 'held') attempt.lock.release();
      rmSync(folder, { recursive: true });
    }
  });

  test('waiting ends with LOCK_TIMEOUT and names the holder', async () => {
    tryLock(folder);
    const waiting = acquireLock(folder, 100);
    await expect(waiting).rejects.toMatchObject({ code: 'LOCK_TIMEOUT', message: expect.stringContaining(String(process.pid)) });
  });

  test('eight processes, some killed while they hold it: no two ever hold it together', async () => {
    const counter = path.join(folder, 'counter');
    writeFileSync(counter, '0');
    const module = path.join(builtProgram(), 'client', 'processes', 'process-lock.js');
    const contender = fileURLToPath(new URL('support/lock-contender.mjs', import.meta.url));
    const ends = await Promise.all(
      Array.from({ length: 8 }, (_, at) => {
        const args = [contender, module, path.join(folder, 'lock'), counter, '20', at % 2 === 0 ? 'die' : 'live'];
        const child = spawn(process.execPath, args, { stdio: 'inherit' });
        return new Promise<number | NodeJS.Signals | null>((resolve) => child.on('close', (code, signal) => resolve(signal ?? code)));
      }),
    );
    expect(ends).toEqual(['SIGKILL', 0, 'SIGKILL', 0, 'SIGKILL', 0, 'SIGKILL', 0]);
    expect(readFileSync(counter, 'utf8')).toBe('160');
  }, 60_000);
});

describe('identity of a process', () => {
  test('a zombie is dead although signals reach it', async () => {
    // The shell's child ends while the shell does not wait for it.
    const pidFile = path.join(folder, 'pid');
    const shell = spawn('sh', ['-c', `sleep 0.1 & echo $! > ${pidFile}; exec sleep 30`]);
    try {
      while (!existsSync(pidFile) || readFileSync(pidFile, 'utf8') === '') await new Promise((resolve) => setTimeout(resolve, 10));
      const pid = Number(readFileSync(pidFile, 'utf8'));
      const identity = identify(pid);
      expect(identity).toBeDefined();
      await new Promise((resolve) => setTimeout(resolve, 400));
      expect(process.kill(pid, 0)).toBe(true);
      expect(identity && isRunning(identity)).toBe(false);
    } finally {
      shell.kill('SIGKILL');
    }
  });

  test('of this process holds, of another start time does not', () => {
    expect(isRunning(ownIdentity())).toBe(true);
    expect(isRunning({ ...ownIdentity(), startTicks: '1' })).toBe(false);
  });
});
