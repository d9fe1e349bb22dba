import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** Enough for any number of lines that a person reads. */
const TAIL_BYTES = 256 * 1024;

/** Last lines of a log file, empty ones left out; none when there is no file. A log of gigabytes costs no more than a small one. */
export function logTail(file: string, lines: number): string[] {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  try {
    const { size } = fstatSync(descriptor);
    const buffer = Buffer.alloc(Math.min(size, TAIL_BYTES));
    const read = readSync(descriptor, buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString('utf8', 0, read).split('\n').filter(Boolean).slice(-lines);
  } finally {
    closeSync(descriptor);
  }
}
