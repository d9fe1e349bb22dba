import { closeSync, openSync, writeSync } from 'node:fs';

import { bufferOutput, fileOutput, type Output } from '../nodes/job-output.ts';

/** Most that an answer may have; a longer one is cut off and is an error of its own. */
export const ANSWER_LIMIT = 64 * 1024 * 1024;
/** Up to this much stays in memory until the end. */
const HELD = 256 * 1024;

/** Where stdout of something that runs in the worker goes: memory for little, a file for much. */
export interface OutputSink {
  /** False when the limit is passed: nothing more is taken. */
  write(piece: Buffer | string): boolean;
  /** Writes what is left, and gives the whole. May be called once. */
  finish(): Output;
  /** Later writes do nothing. */
  close(): void;
}

/** A sink that writes to `path`. */
export function createSink(path: string, limit = ANSWER_LIMIT): OutputSink {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let bytes = 0;
  let fd: number | undefined;
  let open = true;
  const flush = (): void => {
    fd ??= openSync(path, 'w', 0o600);
    for (const piece of held) for (let at = 0; at < piece.length;) at += writeSync(fd, piece, at);
    held = [];
    heldBytes = 0;
  };
  const close = (): void => {
    open = false;
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
  };
  return {
    write(piece) {
      if (!open) return false;
      const buffer = typeof piece === 'string' ? Buffer.from(piece, 'utf8') : piece;
      const part = buffer.subarray(0, limit - bytes);
      held.push(part);
      heldBytes += part.length;
      bytes += part.length;
      if (heldBytes > HELD) flush();
      return part.length === buffer.length;
    },
    finish() {
      const whole = fd === undefined ? Buffer.concat(held) : undefined;
      flush();
      close();
      return whole === undefined ? fileOutput(path) : bufferOutput(whole);
    },
    close,
  };
}
