import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';

import { NodeError } from './node-error.ts';
import { STREAM } from './node-scripts.ts';
import { shellWord } from './shell-word.ts';

/** How to get a shell that reads commands from its standard input. */
export interface ShellStreamOptions {
  /** Program and arguments, e.g. `['/bin/sh']` or `['sudo', '-n', '-u', 'postgres', '/bin/sh']`. */
  readonly argv: readonly string[];
  /** Words that start a shell on the node; default `/bin/sh`. Jobs run under it. */
  readonly shell: readonly string[];
  /** The whole environment of the shell, and so what jobs inherit. */
  readonly env: { readonly [name: string]: string };
  /** A supervisor reports its job's end: `<kind>.<code>.<uptime at go>.<uptime at end>`. Only a hint: the record is the truth. */
  readonly onDone: (job: string, end: string) => void;
  /** Once, when the shell is gone for whatever reason. */
  readonly onClose: () => void;
}

/** One shell on a node. Requests are answered in order; each is one framed command, see `node-scripts.ts`. */
export interface ShellStream {
  /**
   * Sends one verb and resolves with the words of the answer, without frame.
   * Rejects with `NODE_STREAM_LOST` when the shell dies, or has not answered in `timeoutMs`: whether the verb was carried out is then unknown.
   */
  request(verb: string, args: readonly string[], timeoutMs?: number): Promise<string>;
  readonly open: boolean;
  readonly pid: number | undefined;
  close(): void;
}

const ANSWER_TIMEOUT_MS = 10_000;
/** A reader that has seen this much without a line end is not talking to our shell. */
const LINE_LIMIT = 8 * 1024 * 1024;

/** The text that turns a plain shell into a node stream. Exported for the tests that cut it. */
export function streamPrelude(shell: readonly string[]): string {
  return `OT_SH=${shellWord(shell.join(' '))}\n${STREAM}\n`;
}

/** One request as it goes over the wire. Exported for the tests that cut it at every byte. */
export function frameRequest(nonce: string, verb: string, args: readonly string[]): string {
  return `v ${nonce} ${verb} ${args.map((arg) => `${shellWord(arg)} `).join('')}${nonce}\n`;
}

/** Starts the shell; the first answer tells whether it works. It lives in a session of its own and dies with its input, jobs do not. */
export function openShellStream(options: ShellStreamOptions): ShellStream {
  const [program = '/bin/sh', ...args] = options.argv;
  const child: ChildProcess = spawn(program, args, { detached: true, stdio: ['pipe', 'pipe', 'pipe'], env: { ...options.env }, cwd: '/' });
  const waiting = new Map<string, { resolve: (answer: string) => void; reject: (error: Error) => void; timer: NodeJS.Timeout }>();
  let open = true;
  let pending = '';
  let complaint = '';

  const end = (why: string): void => {
    if (!open) return;
    open = false;
    child.stdin?.destroy();
    child.stdout?.destroy();
    child.stderr?.destroy();
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    const said = complaint.trim();
    for (const { reject, timer } of waiting.values()) {
      clearTimeout(timer);
      reject(new NodeError('NODE_STREAM_LOST', said === '' ? why : `${why}: ${said}`));
    }
    waiting.clear();
    options.onClose();
  };

  const takeLine = (line: string): void => {
    const words = line.split(' ', 3);
    if (words[0] === 'D' && words[1] !== undefined && words[2] !== undefined) options.onDone(words[1], words[2]);
    if (words[0] !== 'A' || words[1] === undefined) return;
    const nonce = words[1];
    const entry = waiting.get(nonce);
    if (entry === undefined || !line.endsWith(` ${nonce}`)) return;
    waiting.delete(nonce);
    clearTimeout(entry.timer);
    entry.resolve(line.slice(2 + nonce.length + 1, line.length - nonce.length - 1));
  };

  child.stdout?.setEncoding('latin1');
  child.stdout?.on('data', (chunk: string) => {
    const lines = (pending + chunk).split('\n');
    pending = lines.pop() ?? '';
    if (pending.length > LINE_LIMIT) end('the shell answers without line ends');
    for (const line of lines) takeLine(line);
  });
  child.stderr?.setEncoding('utf8');
  child.stderr?.on('data', (chunk: string) => {
    complaint = (complaint + chunk).slice(-500);
  });
  child.stdin?.on('error', (error) => end(error.message));
  child.on('error', (error) => end(`cannot start ${program}: ${error.message}`));
  child.on('exit', (code, signal) => end(`the node's shell ended (${signal ?? `exit ${String(code)}`})`));
  // A worker that has nothing else to do may exit; the shell sees the end of its input then.
  child.unref();
  for (const pipe of [child.stdin, child.stdout, child.stderr]) unreference(pipe);

  child.stdin?.write(streamPrelude(options.shell));

  return {
    get open() {
      return open;
    },
    get pid() {
      return child.pid;
    },
    request(verb, requestArgs, timeoutMs = ANSWER_TIMEOUT_MS) {
      if (!open) return Promise.reject(new NodeError('NODE_STREAM_LOST', 'the shell of the node is closed'));
      const nonce = randomBytes(12).toString('hex');
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => end(`no answer to ${verb} in ${timeoutMs} ms`), timeoutMs);
        waiting.set(nonce, { resolve, reject, timer });
        child.stdin?.write(frameRequest(nonce, verb, requestArgs));
      });
    },
    close() {
      end('closed');
    },
  };
}

/** Sockets of a child keep the event loop alive unless told otherwise; the stream types do not know that they are sockets. */
function unreference(pipe: object | null): void {
  if (pipe !== null && 'unref' in pipe && typeof pipe.unref === 'function') pipe.unref();
}
