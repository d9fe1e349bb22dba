import { userInfo } from 'node:os';

import { NodeError } from './node-error.ts';
import { openShellStream, type ShellStream } from './shell-stream.ts';
import type { OpenTransport } from './shell-transport.ts';

/** Where a session's shell runs and how jobs are kept there. */
export interface NodeSessionOptions {
  readonly argv: readonly string[];
  readonly shell: readonly string[];
  readonly env: { readonly [name: string]: string };
  /** Folder in which `onetear-<uid>` is made; the home directory is the fallback. */
  readonly jobRoot: string;
  /** True when this process may read the job files by itself: same machine, same user. */
  readonly direct: boolean;
  readonly connectWithinMs: number;
  /** Makes the way to a shell that is not a child of this process; `argv` and `env` are not looked at then. Rejects with a NodeError. */
  readonly connect?: () => Promise<OpenTransport>;
  /** See {@link ShellStreamOptions}. */
  readonly setup?: string;
  readonly refusal?: (exitCode: number, said: string) => string | undefined;
}

/** An open stream that has said hello. */
export interface NodeSession {
  readonly stream: ShellStream;
  /** Boot id and start ticks of PID 1: two equal ones mean no reboot and no container restart between. */
  readonly incarnation: string;
  /** Folder of all jobs of this user on the node. */
  readonly baseDir: string;
  readonly direct: boolean;
  /** Node clock minus worker clock, ms. */
  readonly clockOffsetMs: number;
  readonly shell: string;
  /** Uptime of the node now, in 1/100 s, from the hello and this process's monotonic clock. */
  uptimeTicks(): number;
  /** Resolves with the end (`<kind>.<code>.<go>.<end>`) when the node reports it, `undefined` after `waitMs` or when the stream breaks. */
  awaitEnd(job: string, waitMs: number): Promise<string | undefined>;
  close(): void;
}

/** Longest wait between two attempts to open a shell. */
const RETRY_MAX_MS = 2_000;

/**
 * Opens a shell on the node and greets it, again and again until `connectWithinMs` is over.
 * Rejects with NODE_UNREACHABLE then, with NODE_REFUSED when the node answered that it has no folder for jobs.
 */
export async function openNodeSession(options: NodeSessionOptions): Promise<NodeSession> {
  const deadline = performance.now() + options.connectWithinMs;
  for (let delayMs = 100; ; delayMs = Math.min(delayMs * 2, RETRY_MAX_MS)) {
    try {
      return await greetNode(options);
    } catch (error) {
      if (!(error instanceof NodeError) || error.code !== 'NODE_STREAM_LOST') throw error;
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw new NodeError('NODE_UNREACHABLE', error.message);
      await new Promise((resolve) => setTimeout(resolve, Math.min(delayMs, leftMs)));
    }
  }
}

/**
 * Opens a shell and greets it, once. Rejects with NODE_STREAM_LOST when another attempt may go better, with NODE_REFUSED when none will.
 */
export async function greetNode(options: NodeSessionOptions): Promise<NodeSession> {
  const transport = await options.connect?.();
  const ends = new Map<string, (end: string | undefined) => void>();
  /** Ends reported before anyone asked: the report of a quick command overtakes our own code. */
  const early = new Map<string, string>();
  const stream = openShellStream({
    argv: options.argv,
    shell: options.shell,
    env: options.env,
    ...(transport && { transport }),
    ...(options.setup !== undefined && { setup: options.setup }),
    ...(options.refusal && { refusal: options.refusal }),
    onDone: (job, end) => {
      const tell = ends.get(job);
      if (tell !== undefined) tell(end);
      else {
        early.set(job, end);
        const oldest = early.keys().next();
        if (early.size > 1_000 && oldest.done !== true) early.delete(oldest.value);
      }
    },
    onClose: () => {
      for (const tell of ends.values()) tell(undefined);
    },
  });
  const sentAt = Date.now();
  const answer = await stream.request('hello', [options.jobRoot]);
  const [status = '', incarnation = '', uptime = '', clock = '', ...path] = answer.split(' ');
  if (status !== 'ok') {
    stream.close();
    const reasons = Buffer.from(answer.slice(status.length).trim(), 'latin1').toString('utf8');
    throw new NodeError(
      'NODE_REFUSED',
      `no private folder for jobs: neither ${options.jobRoot}/onetear-<uid> nor .onetear-jobs in the home directory ` +
        `is (or can be made) a real directory of ours with mode 0700 (${reasons.replace(/\s*;\s*/g, '; ').replace(/; $/, '')})`,
    );
  }
  const zero = performance.now() - Number(uptime) * 10;
  return {
    stream,
    incarnation,
    baseDir: Buffer.from(path.join(' '), 'latin1').toString('utf8'),
    direct: options.direct,
    clockOffsetMs: options.direct ? 0 : Math.round(Number(clock.replace(/\.%?N?$/, '')) * 1_000 - (sentAt + Date.now()) / 2),
    shell: options.shell.join(' '),
    uptimeTicks: () => Math.floor((performance.now() - zero) / 10),
    awaitEnd(job, waitMs) {
      const known = early.get(job);
      if (known !== undefined) {
        early.delete(job);
        return Promise.resolve(known);
      }
      if (!stream.open) return Promise.resolve(undefined);
      return new Promise((resolve) => {
        const finish = (end: string | undefined): void => {
          clearTimeout(timer);
          ends.delete(job);
          resolve(end);
        };
        const timer = setTimeout(finish, waitMs, undefined);
        ends.set(job, finish);
      });
    },
    close: () => stream.close(),
  };
}

/** Variables of the worker's own environment that local jobs inherit, and PATH with the sbin folders. */
export function localEnvironment(user?: { readonly name: string }): { readonly [name: string]: string } {
  const env: { [name: string]: string } = { PATH: jobPath(process.env['PATH']) };
  for (const name of ['HOME', 'USER', 'LANG', 'TMPDIR']) {
    const value = process.env[name];
    if (value !== undefined && value !== '') env[name] = value;
  }
  if (user === undefined) {
    const me = userInfo();
    env['HOME'] ??= me.homedir;
    env['USER'] ??= me.username;
  } else {
    env['USER'] = user.name;
    delete env['TMPDIR'];
  }
  return env;
}

/** A non-interactive PATH often lacks the sbin folders, and then fault tools are silently not found. */
function jobPath(inherited: string | undefined): string {
  const folders = (inherited ?? '').split(':').filter((folder) => folder.startsWith('/'));
  for (const folder of ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']) {
    if (!folders.includes(folder)) folders.push(folder);
  }
  return folders.join(':');
}
