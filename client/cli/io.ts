/** Everything a verb may know of the process around it, so that verbs never touch `process` themselves. */
export interface CliIo {
  /** Data: documents and event lines. Human text too, when stdout is not data. */
  readonly out: (text: string) => void;
  /** Human text beside data: messages, warnings, errors. */
  readonly err: (text: string) => void;
  readonly env: { readonly [name: string]: string | undefined };
  readonly cwd: string;
  readonly stdoutIsTty: boolean;
  readonly stderrIsTty: boolean;
  /** Width of the terminal in columns, height in rows; 80 × 24 when unknown. Asked at each draw: terminals are resized. */
  readonly size: () => { readonly columns: number; readonly rows: number };
}

/** The real process. A closed pipe (`onetear list | head -1`) silences the stream instead of killing us: the run goes on. */
export function processIo(): CliIo {
  return {
    out: guardedWriter(process.stdout),
    err: guardedWriter(process.stderr),
    env: process.env,
    cwd: process.cwd(),
    stdoutIsTty: process.stdout.isTTY ?? false,
    stderrIsTty: process.stderr.isTTY ?? false,
    size: () => ({
      columns: process.stdout.columns || process.stderr.columns || 80,
      rows: process.stdout.rows || process.stderr.rows || 24,
    }),
  };
}

/** Resolves when everything written so far has left the process: `process.exit` would cut what a pipe has not taken. */
export async function flushIo(): Promise<void> {
  await Promise.all([process.stdout, process.stderr].map(drained));
}

function drained(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.destroyed || stream.writableEnded) return Promise.resolve();
  return new Promise((resolve) => {
    stream.once('error', () => resolve());
    stream.write('', () => resolve());
  });
}

function guardedWriter(stream: NodeJS.WriteStream): (text: string) => void {
  let closed = false;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    closed = true;
    if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_DESTROYED') throw error;
  });
  return (text) => {
    if (!closed) stream.write(text);
  };
}
