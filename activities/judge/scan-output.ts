import { createHash, type Hash } from 'node:crypto';

import type { Output } from '../nodes/job-output.ts';
import type { Masker } from '../secrets/masker.ts';
import { createBlob } from '../store/blob-store.ts';
import { cutText, EXCERPT_BYTES, wholeText } from './excerpt.ts';

/** What is wanted from one pass over a stream. */
export interface ScanWishes {
  /** Texts to look for; found whatever the size of the stream, also across pieces. */
  readonly needles: readonly string[];
  /** Keep the text itself up to this many bytes; 0 = not needed. */
  readonly keepBytes: number;
  readonly hashTrimmed: boolean;
  /** Masks what is told and stored; needles, text, counts and hash are of the stream as it is. */
  readonly masker?: Masker | undefined;
}

/** What one pass over a stream found. */
export interface Scan {
  /** What the command wrote; at least, when `over`. */
  readonly bytes: number;
  /** More was written than was looked at: what the part does not decide is undecidable. */
  readonly over: boolean;
  readonly excerpt: string;
  readonly truncated: boolean;
  /** Reference of the stream in the store, with a last line about what is left out when `over`; only when the excerpt is cut. */
  readonly artifact?: string;
  readonly trimmedSha256?: string;
  /** Which needles occur. */
  readonly found: ReadonlySet<string>;
  /** Number of lines; a last line without newline counts. */
  readonly lines: number;
  /** Nothing but white space. */
  readonly blank: boolean;
  /** First `keepBytes`, decoded; the whole text unless `cut`. */
  readonly text: string;
  readonly cut: boolean;
  /** Secrets were masked in the excerpt or in the stored copy. */
  readonly masked: boolean;
}

/**
 * Reads a stream once, in pieces, whatever its size: excerpt, counts, needles, hash, and a copy in the store when it is too long for the excerpt.
 * Memory stays at a few pieces plus `keepBytes`.
 */
export async function scanOutput(output: Output, wishes: ScanWishes, storeDir: string): Promise<Scan> {
  const needles = wishes.needles.map((text) => ({ text, bytes: Buffer.from(text, 'utf8') }));
  const longest = Math.max(1, ...needles.map(({ bytes }) => bytes.length));
  const found = new Set<string>(needles.filter(({ bytes }) => bytes.length === 0).map(({ text }) => text));
  const kept: Buffer[] = [];
  let keptBytes = 0;
  let head = Buffer.alloc(0);
  let tail = Buffer.alloc(0);
  let carry = Buffer.alloc(0);
  let newlines = 0;
  let lastByte = 0x0a;
  const trimmed = wishes.hashTrimmed ? new TrimmedHash() : undefined;
  let blank = true;
  const blob = output.bytes > EXCERPT_BYTES ? await createBlob(storeDir) : undefined;
  let artifact: string | undefined;
  const masks = wishes.masker?.stream();
  // A mask may be longer than what it stands for: short output is kept whole, so that it can still go to the store.
  const short: Buffer[] = [];
  let shownBytes = 0;
  const show = async (piece: Buffer): Promise<void> => {
    if (piece.length === 0) return;
    await blob?.write(piece);
    if (blob === undefined) short.push(piece);
    shownBytes += piece.length;
    if (head.length < EXCERPT_BYTES) head = Buffer.concat([head, piece.subarray(0, EXCERPT_BYTES - head.length)]);
    tail = piece.length >= EXCERPT_BYTES ? Buffer.from(piece.subarray(-EXCERPT_BYTES)) : lastBytes(tail, piece, EXCERPT_BYTES);
  };
  try {
    for await (const piece of output.chunks()) {
      if (piece.length === 0) continue;
      await show(masks === undefined ? piece : masks.push(piece));
      if (keptBytes < wishes.keepBytes) {
        const part = piece.subarray(0, wishes.keepBytes - keptBytes);
        kept.push(part);
        keptBytes += part.length;
      }
      if (found.size < needles.length) {
        // What may be the beginning of a match at the end of the last piece, joined with as much of this one as a match can reach.
        const seam = Buffer.concat([carry, piece.subarray(0, longest - 1)]);
        for (const { text, bytes } of needles) {
          if (!found.has(text) && (seam.includes(bytes) || piece.includes(bytes))) found.add(text);
        }
        carry = longest > 1 ? lastBytes(carry, piece, longest - 1) : carry;
      }
      newlines += countNewlines(piece);
      if (blank) blank = isBlank(piece);
      trimmed?.update(piece);
      lastByte = piece[piece.length - 1] as number;
    }
    if (masks !== undefined) await show(masks.end());
    const total = output.totalBytes ?? output.bytes;
    const over = total > output.bytes;
    if (over)
      await show(Buffer.from(`\n… at least ${total - output.bytes} more bytes were written and are not kept: the limit is 64 MiB …\n`));
    const whole = shownBytes <= EXCERPT_BYTES ? wholeText(head) : undefined;
    // Few but bad bytes: they need more room once they are U+FFFD, so the exact bytes go to the store as well.
    if (whole === undefined && blob === undefined) artifact = await storeWhole(Buffer.concat(short), storeDir);
    if (whole === undefined) artifact ??= await blob?.finish();
    return {
      bytes: total,
      over,
      excerpt: whole ?? cutText(head, tail, shownBytes),
      truncated: whole === undefined,
      ...(artifact === undefined ? {} : { artifact }),
      ...(trimmed === undefined || over ? {} : { trimmedSha256: trimmed.digest() }),
      found,
      lines: newlines + (lastByte === 0x0a ? 0 : 1),
      blank,
      text: Buffer.concat(kept).toString('utf8'),
      cut: total > keptBytes,
      masked: masks?.masked ?? false,
    };
  } finally {
    await blob?.discard();
  }
}

async function storeWhole(bytes: Buffer, storeDir: string): Promise<string> {
  const blob = await createBlob(storeDir);
  try {
    await blob.write(bytes);
    return await blob.finish();
  } finally {
    await blob.discard();
  }
}

/** The last `count` bytes of two neighbouring pieces, as a copy: a view would keep a whole piece alive. */
function lastBytes(before: Buffer, piece: Buffer, count: number): Buffer<ArrayBuffer> {
  const joined = Buffer.concat([before, piece.subarray(Math.max(0, piece.length - count))]);
  return Buffer.from(joined.subarray(Math.max(0, joined.length - count)));
}

function countNewlines(piece: Buffer): number {
  let count = 0;
  for (let at = piece.indexOf(0x0a); at !== -1; at = piece.indexOf(0x0a, at + 1)) count++;
  return count;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

function isBlank(piece: Buffer): boolean {
  return piece.every(isSpace);
}

/** SHA-256 of a stream without white space (ASCII) at both ends: the state after the last other byte is kept beside the running one. */
class TrimmedHash {
  readonly #running: Hash = createHash('sha256');
  #upToLast: Hash | undefined;

  update(piece: Buffer): void {
    let from = 0;
    if (this.#upToLast === undefined) while (from < piece.length && isSpace(piece[from] as number)) from++;
    let to = piece.length;
    while (to > from && isSpace(piece[to - 1] as number)) to--;
    if (to > from) {
      this.#running.update(piece.subarray(from, to));
      this.#upToLast = this.#running.copy();
    }
    if (this.#upToLast !== undefined) this.#running.update(piece.subarray(to));
  }

  digest(): string {
    return (this.#upToLast ?? createHash('sha256')).digest('hex');
  }
}
