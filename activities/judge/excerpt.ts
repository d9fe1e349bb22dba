/** Bytes of output that go into histories, records and events: half from the head, half from the tail. */
export const EXCERPT_BYTES = 8_192;
const HALF = EXCERPT_BYTES / 2;
/** Room for the line that says how much is left out. */
const MARK = 48;

/** The text of a stream that fits: valid UTF-8, at most 8 KiB. `undefined` when it is longer, also because bad bytes became U+FFFD. */
export function wholeText(bytes: Buffer): string | undefined {
  if (bytes.length > EXCERPT_BYTES) return undefined;
  const text = bytes.toString('utf8');
  return Buffer.byteLength(text) <= EXCERPT_BYTES ? text : undefined;
}

/** Head and tail of a long stream of `total` bytes with the number of bytes left out between; at most 8 KiB of valid UTF-8. */
export function cutText(head: Buffer, tail: Buffer, total: number): string {
  const first = fit(head.subarray(0, HALF - MARK), 'head');
  const last = fit(tail.subarray(Math.max(0, tail.length - HALF)), 'tail');
  return `${first.text}\n… ${total - first.bytes - last.bytes} bytes left out …\n${last.text}`;
}

/**
 * Decodes one end. A character that is cut by the edge is dropped, not shown as damage; then whole characters are dropped from the inner edge
 * until the text fits, because a bad byte takes three bytes once it is U+FFFD. `bytes`: how many bytes of the stream the text stands for.
 */
function fit(piece: Buffer, end: 'head' | 'tail'): { text: string; bytes: number } {
  let part = end === 'head' ? trimCutEnd(piece) : trimCutStart(piece);
  const limit = end === 'head' ? HALF - MARK : HALF;
  for (;;) {
    const text = part.toString('utf8');
    const over = Buffer.byteLength(text) - limit;
    if (over <= 0) return { text, bytes: part.length };
    const drop = Math.max(1, Math.ceil(over / 3));
    part = end === 'head' ? trimCutEnd(part.subarray(0, part.length - drop)) : trimCutStart(part.subarray(drop));
  }
}

/** Drops an incomplete character at the end: a lead byte with fewer continuation bytes than it announces. */
function trimCutEnd(piece: Buffer): Buffer {
  for (let back = 1; back <= Math.min(3, piece.length); back++) {
    const byte = piece[piece.length - back] as number;
    if ((byte & 0xc0) === 0x80) continue;
    const needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return needs > back ? piece.subarray(0, piece.length - back) : piece;
  }
  return piece;
}

/** Drops continuation bytes at the start whose lead byte was cut off. */
function trimCutStart(piece: Buffer): Buffer {
  let at = 0;
  while (at < 3 && at < piece.length && ((piece[at] as number) & 0xc0) === 0x80) at++;
  return piece.subarray(at);
}
