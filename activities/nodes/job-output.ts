import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

import { readJobText, readRemote } from './job.ts';
import { isNodeError } from './node-error.ts';
import type { NodeSession } from './node-session.ts';

/** One output stream of a finished try, wherever it lies. */
export interface Output {
  /** Bytes at the moment the try had ended, at most OUTPUT_CAP. What a background process writes later is not looked at. */
  readonly bytes: number;
  /** Only when more was written than can be read: how much at least. */
  readonly totalBytes?: number;
  /** From the first byte to the last, in order, in pieces of at most 1 MiB. */
  chunks(): AsyncIterable<Buffer>;
}

/** Output beyond this is neither kept nor read. */
export const OUTPUT_CAP = 64 * 1024 * 1024;
const PIECE = 1024 * 1024;
/** Through the stream bytes travel as text in one line. A power of two, so that the node can seek to every piece. */
const REMOTE_PIECE = 512 * 1024;
/** Up to this size one synchronous read is quicker than four trips through the thread pool. */
const SMALL = 64 * 1024;

/**
 * Looks at a job's `out` or `err`. Call it after the end of the job is known, never before: else the last bytes may be missed.
 * `again`: a new session, when the one at hand is lost while the output is read.
 */
export async function jobOutput(
  session: NodeSession,
  job: string,
  file: 'out' | 'err',
  again?: () => Promise<NodeSession>,
): Promise<Output> {
  const output = session.direct ? fileOutput(join(session.baseDir, job, file)) : await remoteOutput(session, job, file, again);
  if (output.totalBytes === undefined) return output;
  // What the node cut away while the command still wrote.
  const cut = (await readJobText(session, job, `cut.${file}`)).split('\n').reduce((sum, line) => sum + (Number(line) || 0), 0);
  return { ...output, totalBytes: output.totalBytes + cut };
}

/** An output that is already in memory. */
export function textOutput(text: string): Output {
  const buffer = Buffer.from(text, 'utf8');
  return {
    bytes: buffer.length,
    async *chunks() {
      for (let at = 0; at < buffer.length; at += PIECE) yield buffer.subarray(at, at + PIECE);
    },
  };
}

/** Several outputs as one, in order. */
export function joinOutputs(...outputs: readonly Output[]): Output {
  const parts = outputs.filter(({ bytes }) => bytes > 0);
  if (parts.length === 1) return parts[0] as Output;
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
  const totalBytes = parts.reduce((sum, part) => sum + (part.totalBytes ?? part.bytes), 0);
  return {
    bytes,
    ...(totalBytes > bytes ? { totalBytes } : {}),
    async *chunks() {
      for (const part of parts) yield* part.chunks();
    },
  };
}

/** What lies in a file that nobody reads further than OUTPUT_CAP; empty when there is none. */
export function fileOutput(path: string): Output {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return textOutput('');
    throw error;
  }
  let size: number;
  let bytes: number;
  try {
    size = fstatSync(fd).size;
    bytes = Math.min(size, OUTPUT_CAP);
    if (bytes <= SMALL) {
      const buffer = Buffer.alloc(bytes);
      const got = readSync(fd, buffer, 0, bytes, 0);
      return bufferOutput(buffer.subarray(0, got));
    }
  } finally {
    closeSync(fd);
  }
  return {
    bytes,
    ...(size > bytes ? { totalBytes: size } : {}),
    async *chunks() {
      const handle = await open(path, 'r');
      try {
        for (let at = 0; at < bytes;) {
          const buffer = Buffer.allocUnsafe(Math.min(PIECE, bytes - at));
          const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
          if (bytesRead === 0) throw new Error(`${path} became shorter while it was read`);
          at += bytesRead;
          yield buffer.subarray(0, bytesRead);
        }
      } finally {
        await handle.close();
      }
    },
  };
}

/** Bytes in memory. */
export function bufferOutput(buffer: Buffer): Output {
  return {
    bytes: buffer.length,
    async *chunks() {
      if (buffer.length > 0) yield buffer;
    },
  };
}

async function remoteOutput(session: NodeSession, job: string, file: string, again?: () => Promise<NodeSession>): Promise<Output> {
  const first = await readRemote(session, job, file, 0, REMOTE_PIECE);
  if (first.size <= first.bytes.length) return bufferOutput(first.bytes);
  const bytes = Math.min(first.size, OUTPUT_CAP);
  let current = session;
  /** A piece at its offset is the same whoever reads it, so a cut connection costs only time. */
  const piece = async (at: number): Promise<Buffer> => {
    const max = Math.min(REMOTE_PIECE, bytes - at);
    for (;;) {
      try {
        // Always the same length: the node seeks in units of it. What was appended since is cut off.
        return (await readRemote(current, job, file, at, REMOTE_PIECE)).bytes.subarray(0, max);
      } catch (error) {
        if (again === undefined || !isNodeError(error, 'NODE_STREAM_LOST')) throw error;
        current = await again();
      }
    }
  };
  const ahead = (at: number): Promise<Buffer> => {
    const coming = piece(at);
    // Its failure is met where it is awaited, which may be never.
    coming.catch(() => undefined);
    return coming;
  };
  return {
    bytes,
    ...(first.size > bytes ? { totalBytes: first.size } : {}),
    async *chunks() {
      // The next piece is on its way while this one is looked at: two in memory, never more.
      let next = ahead(first.bytes.length);
      yield first.bytes;
      for (let at = first.bytes.length; at < bytes;) {
        const got = await next;
        if (got.length === 0) throw new Error(`${file} of ${job} became shorter while it was read`);
        at += got.length;
        if (at < bytes) next = ahead(at);
        yield got;
      }
    },
  };
}
