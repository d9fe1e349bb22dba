import type { Readable } from 'node:stream';

const BLOCK = 512;

/**
 * Takes one regular file out of a tar stream and hands over its bytes as they come; everything else in the archive is skipped unseen, so a
 * hostile archive can write nowhere. Rejects when the stream is cut, not a tar, without that file, or the file is over the limit.
 */
export async function extractFile(tar: Readable, name: string, maxBytes: number, write: (chunk: Buffer) => void): Promise<void> {
  let pending: Buffer = Buffer.alloc(0);
  /** Bytes of the current member still to come, and of its padding. */
  let body = 0;
  let padding = 0;
  let wanted = false;
  let found = false;
  for await (const data of tar) {
    let chunk = data as Buffer;
    while (chunk.length > 0) {
      if (body > 0) {
        const part = chunk.subarray(0, body);
        if (wanted) write(part);
        body -= part.length;
        chunk = chunk.subarray(part.length);
      } else if (padding > 0) {
        const part = Math.min(padding, chunk.length);
        padding -= part;
        chunk = chunk.subarray(part);
      } else {
        const part = chunk.subarray(0, BLOCK - pending.length);
        pending = Buffer.concat([pending, part]);
        chunk = chunk.subarray(part.length);
        if (pending.length < BLOCK) continue;
        const header = readHeader(pending);
        pending = Buffer.alloc(0);
        if (header === undefined) continue;
        wanted = !found && header.regular && header.name.replace(/^\.\//, '') === name;
        if (wanted && header.size > maxBytes) throw new Error(`"${name}" in the archive has ${header.size} bytes, more than ${maxBytes}`);
        found ||= wanted;
        body = header.size;
        padding = (BLOCK - (header.size % BLOCK)) % BLOCK;
      }
    }
  }
  if (body > 0 || padding > 0 || pending.length > 0) throw new Error('the archive is cut off');
  if (!found) throw new Error(`the archive holds no file "${name}"`);
}

/** `undefined` for a block of zeros, which ends an archive. */
function readHeader(block: Buffer): { name: string; size: number; regular: boolean } | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  let sum = 0;
  for (let at = 0; at < BLOCK; at += 1) sum += at >= 148 && at < 156 ? 32 : (block[at] ?? 0);
  const text = (from: number, to: number): string => block.toString('latin1', from, to).split('\0', 1)[0]?.trim() ?? '';
  if (Number.parseInt(text(148, 156), 8) !== sum) throw new Error('this is not a tar archive');
  const size = Number.parseInt(text(124, 136) || '0', 8);
  if (!Number.isSafeInteger(size) || size < 0) throw new Error('the archive has a member without a size');
  const kind = String.fromCharCode(block[156] ?? 0);
  return { name: text(0, 100), size, regular: kind === '0' || kind === '\0' };
}
