import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The project's folder. */
export const root = new URL('../..', import.meta.url).pathname.replace(/\/$/, '');
const cli = join(root, 'dist', 'client', 'main.js');

export interface Finished {
  /** `null` when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The built program in a home and a folder of its own, as a user has it. `close()` stops what it started and removes both. */
export interface Playground {
  readonly dir: string;
  readonly home: string;
  /** Runs to the end; killed after `timeoutMs` (default 90,000), which is then an error. */
  run(args: readonly string[], timeoutMs?: number): Promise<Finished>;
  /** Starts and returns at once, for tests that interfere. */
  spawn(args: readonly string[]): { readonly child: ChildProcess; readonly finished: Promise<Finished> };
  write(file: string, text: string): string;
  read(file: string): string;
  exists(file: string): boolean;
  /** Pid of one of the processes behind the command line, from `server status --json`. */
  pidOf(process: 'keeper' | 'server' | 'worker'): Promise<number>;
  close(): Promise<void>;
}

export function createPlayground(env: Readonly<Record<string, string>> = {}): Playground {
  const base = mkdtempSync(join(tmpdir(), 'onetear-play-'));
  const dir = join(base, 'work');
  const home = join(base, 'home');
  mkdirSync(dir);
  const childEnv: NodeJS.ProcessEnv = { ...process.env, ONETEAR_HOME: home, CI: 'true', NO_COLOR: '1', ...env };
  const start = (args: readonly string[]) => {
    const child = spawn(process.execPath, [cli, ...args], { cwd: dir, env: childEnv, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
    const finished = new Promise<Finished>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => resolve({ code, stdout, stderr }));
    });
    return { child, finished };
  };
  const run = async (args: readonly string[], timeoutMs = 90_000): Promise<Finished> => {
    const { child, finished } = start(args);
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    try {
      const done = await finished;
      if (done.code === null)
        throw new Error(`onetear ${args.join(' ')} did not end within ${timeoutMs} ms\n${done.stderr}\n${done.stdout.slice(-3000)}`);
      return done;
    } finally {
      clearTimeout(timer);
    }
  };
  return {
    dir,
    home,
    run,
    spawn: start,
    write(file, text) {
      writeFileSync(join(dir, file), text);
      return join(dir, file);
    },
    read: (file) => readFileSync(join(dir, file), 'utf8'),
    exists: (file) => existsSync(join(dir, file)),
    async pidOf(process) {
      const { stdout } = await run(['server', 'status', '--json']);
      const pid: unknown = JSON.parse(stdout)[process]?.pid;
      if (typeof pid !== 'number') throw new Error(`no pid of ${process} in ${stdout}`);
      return pid;
    },
    async close() {
      await run(['server', 'stop']);
      rmSync(base, { recursive: true, force: true });
    },
  };
}

/** Events of an NDJSON stream. */
export function eventsOf(stdout: string): { readonly type: string; readonly [key: string]: unknown }[] {
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

/** Processes whose environment has `needle`, as `pid command`; for "nothing is left behind". Linux only. */
export function processesWith(needle: string): string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (!readFileSync(`/proc/${pid}/environ`, 'utf8').includes(needle)) continue;
      if (/\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) continue;
      found.push(`${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()}`);
    } catch (error) {
      // It ended while we looked, or belongs to somebody else: not ours either way.
      if (!['ENOENT', 'EACCES', 'EPERM', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
  return found;
}
