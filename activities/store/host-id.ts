import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/**
 * The stable id of this host (eight hex digits), made at first use. It names task queues, so it must never change under a running run:
 * of two processes that make it at once, the one whose link comes first wins.
 */
export function readHostId(file: string): string {
  const existing = readId(file);
  if (existing !== undefined) return existing;
  mkdirSync(path.dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  writeFileSync(temporary, `${randomBytes(4).toString('hex')}\n`);
  try {
    linkSync(temporary, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
  const id = readId(file);
  if (id === undefined) throw new Error(`${file} holds no host id`);
  return id;
}

function readId(file: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  if (/^[0-9a-f]{8}$/.test(text)) return text;
  // A crash of the machine can leave an empty file: nothing refers to an id that was never read.
  if (text !== '') throw new Error(`${file} holds no host id: ${JSON.stringify(text.slice(0, 40))}`);
  rmSync(file, { force: true });
  return undefined;
}
