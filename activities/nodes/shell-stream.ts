import { randomBytes } from 'node:crypto';

import { createLineReader } from './line-reader.ts';
import { NodeError, type NodeErrorCode } from './node-error.ts';
import { STREAM } from './node-scripts.ts';
import { type OpenTransport, spawnTransport } from './shell-transport.ts';
import { shellWord } from './shell-word.ts';

/** How to get a shell that reads commands from its standard input. */
export interface ShellStreamOptions {
  /** Program and arguments, e.g. `['/bin/sh']` or `['sudo', '-n', '-u', 'postgres', '/bin/sh']`. */
  readonly argv: readonly string[];
  /** Words that start a shell on the node; default `/bin/sh`. Jobs run under it. */
  readonly shell: readonly string[];
  /** The whole environment of the shell, and so what jobs inherit. */
  readonly env: { readonly [name: string]: string };
  /** Where the shell is, when it is not a child of this process; `argv` and `env` are not looked at then. */
  readonly transport?: OpenTransport;
  /** Shell text that comes before everything else: what `env` is for a shell that is not our child. */
  readonly setup?: string;
  /**
   * A shell that ends by itself before it has answered once: whether that will be so again. `said` is what it wrote.
   * `undefined` = it may be another time; a text is the reason of a `NODE_REFUSED`.
   */
  readonly refusal?: (exitCode: number, said: string) => string | undefined;
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
export function streamPrelude(shell: readonly string[], setup = ''): string {
  return `${setup}OT_SH=${shellWord(shell.join(' '))}\n${STREAM}\n`;
}

/** One request as it goes over the wire. Exported for the tests that cut it at every byte. */
export function frameRequest(nonce: string, verb: string, args: readonly string[]): string {
  return `v ${nonce} ${verb} ${args.map((arg) => `${shellWord(arg)} `).join('')}${nonce}\n`;
}

/** Starts the shell; the first answer tells whether it works. It lives in a session of its own and dies with its input, jobs do not. */
export function openShellStream(options: ShellStreamOptions): ShellStream {
  const waiting = new Map<string, { resolve: (answer: string) => void; reject: (error: Error) => void; timer: NodeJS.Timeout }>();
  let open = true;
  let answered = false;
  let complaint = '';

  const end = (why: string, code: NodeErrorCode = 'NODE_STREAM_LOST'): void => {
    if (!open) return;
    open = false;
    for (const { reject, timer } of waiting.values()) {
      clearTimeout(timer);
      reject(new NodeError(code, why));
    }
    waiting.clear();
    options.onClose();
  };
  const said = (): string => complaint.trim().replace(/\s*\n\s*/g, '; ');
  const complain = (text: string): void => {
    complaint = (complaint + text).slice(-500);
  };

  const takeLine = (line: string): void => {
    const words = line.split(' ', 2);
    const nonce = words[1];
    const entry = words[0] === 'A' && nonce !== undefined ? waiting.get(nonce) : undefined;
    if (entry === undefined || nonce === undefined || !line.endsWith(` ${nonce}`)) {
      // An account without a shell says so on its standard output.
      if (!answered && line !== '') complain(`${line}\n`);
      return;
    }
    answered = true;
    waiting.delete(nonce);
    clearTimeout(entry.timer);
    entry.resolve(line.slice(2 + nonce.length + 1, line.length - nonce.length - 1));
  };
  const takeReport = (report: string): void => {
    const [kind, job, ending] = report.split(' ', 3);
    if (kind === 'D' && job !== undefined && ending !== undefined) options.onDone(job, ending);
  };

  const reader = createLineReader(takeLine, takeReport);
  const transport = (options.transport ?? spawnTransport(options.argv, options.env))({
    onOutput(text) {
      reader.push(text);
      if (reader.pending <= LINE_LIMIT || !open) return;
      transport.end(false);
      end('the shell answers without line ends');
    },
    onComplaint: complain,
    onEnd({ why, exitCode }) {
      const refusal = exitCode === undefined || answered ? undefined : options.refusal?.(exitCode, said());
      if (refusal !== undefined) end(refusal, 'NODE_REFUSED');
      else end(said() === '' ? why : `${why}: ${said()}`);
    },
  });
  transport.write(streamPrelude(options.shell, options.setup));

  return {
    get open() {
      return open;
    },
    get pid() {
      return transport.pid;
    },
    request(verb, requestArgs, timeoutMs = ANSWER_TIMEOUT_MS) {
      if (!open) return Promise.reject(new NodeError('NODE_STREAM_LOST', 'the shell of the node is closed'));
      const nonce = randomBytes(12).toString('hex');
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          transport.end(true);
          end(`no answer to ${verb} in ${timeoutMs} ms${said() === '' ? '' : `: ${said()}`}`);
        }, timeoutMs);
        waiting.set(nonce, { resolve, reject, timer });
        transport.write(frameRequest(nonce, verb, requestArgs));
      });
    },
    close() {
      if (!open) return;
      transport.end(false);
      end('closed');
    },
  };
}
