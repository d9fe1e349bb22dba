import { type ChildProcess, spawn } from 'node:child_process';

/** What a transport tells the stream that uses it. Nothing is told after `onEnd`. */
export interface TransportEvents {
  /** Standard output of the shell, one character per byte. */
  readonly onOutput: (text: string) => void;
  /** Its standard error. */
  readonly onComplaint: (text: string) => void;
  /** Once, when the shell is gone or cannot be heard any more. */
  readonly onEnd: (end: TransportEnd) => void;
}

export interface TransportEnd {
  readonly why: string;
  /** Only when the shell itself ended, and not by a signal. */
  readonly exitCode?: number;
}

/** Bytes to and from one shell, wherever it runs. */
export interface ShellTransport {
  /** Process on this machine, if it is one. */
  readonly pid: number | undefined;
  write(text: string): void;
  /**
   * Ends it at once; `onEnd` is not called for it. `silent`: because it did not answer, so that what carries it is not to be trusted either.
   */
  end(silent: boolean): void;
}

/** Attaches a stream to a shell. Called once. */
export type OpenTransport = (events: TransportEvents) => ShellTransport;

/** Time for a shell to end by itself. */
const END_MS = 2_000;

/** A shell that is a child of this process, in a session of its own: `/bin/sh`, or a program that hands over to one elsewhere. */
export function spawnTransport(argv: readonly string[], env: { readonly [name: string]: string }): OpenTransport {
  return ({ onOutput, onComplaint, onEnd }) => {
    const [program = '/bin/sh', ...args] = argv;
    const child: ChildProcess = spawn(program, args, { detached: true, stdio: ['pipe', 'pipe', 'pipe'], env: { ...env }, cwd: '/' });
    let open = true;
    const close = (): void => {
      open = false;
      child.stdin?.destroy();
      child.stdout?.destroy();
      child.stderr?.destroy();
      // The end of its input lets the shell start the timers of what it leaves running; only one that hangs is killed.
      setTimeout(() => {
        if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      }, END_MS).unref();
    };
    const end = (ending: TransportEnd): void => {
      if (!open) return;
      close();
      onEnd(ending);
    };
    child.stdout?.setEncoding('latin1');
    child.stdout?.on('data', (text: string) => open && onOutput(text));
    child.stderr?.setEncoding('utf8');
    child.stderr?.on('data', (text: string) => open && onComplaint(text));
    // Its exit tells more than the broken pipe that comes with it, a moment later.
    child.stdin?.on('error', (error) => setTimeout(end, 200, { why: error.message }).unref());
    child.on('error', (error) => end({ why: `cannot start ${program}: ${error.message}` }));
    // Not `exit`: what it said last is still in the pipes then. A process that stays behind may hold them, so not only `close` either.
    const ended = (code: number | null, signal: NodeJS.Signals | null): void =>
      end({ why: `the node's shell ended (${signal ?? `exit ${String(code)}`})`, ...(code !== null && { exitCode: code }) });
    child.on('close', ended);
    child.on('exit', (code, signal) => setTimeout(ended, 100, code, signal).unref());
    // A worker that has nothing else to do may exit; the shell sees the end of its input then.
    child.unref();
    for (const pipe of [child.stdin, child.stdout, child.stderr]) unreference(pipe);
    return {
      pid: child.pid,
      write: (text) => void child.stdin?.write(text),
      end: close,
    };
  };
}

/** Sockets of a child keep the event loop alive unless told otherwise; the stream types do not know that they are sockets. */
function unreference(pipe: object | null): void {
  if (pipe !== null && 'unref' in pipe && typeof pipe.unref === 'function') pipe.unref();
}
