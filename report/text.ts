/** Limit of one output text in events and reports, in UTF-8 bytes. */
export const OUTPUT_TEXT_BYTES = 8192;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Number of bytes of the text in UTF-8. */
export function utf8Bytes(text: string): number {
  return encoder.encode(text).byteLength;
}

/** Lone surrogates become U+FFFD: JSON would carry them as escapes that are no valid UTF-8. */
export function wellFormed(text: string): string {
  // With the u flag a well-formed pair is one code point, so this finds lone halves only.
  return text.replaceAll(/\p{Surrogate}/gu, '\uFFFD');
}

/**
 * The text if it has at most `maxBytes`, else its head and its tail around a line that says how much is left out.
 * Never longer than `maxBytes`, never cut inside a character. `totalBytes`: of the original, when the text is an excerpt already.
 */
export function capText(text: string, maxBytes: number = OUTPUT_TEXT_BYTES, totalBytes?: number): string {
  const clean = wellFormed(text);
  if (clean.length * 3 <= maxBytes) return clean;
  const bytes = encoder.encode(clean);
  if (bytes.byteLength <= maxBytes) return clean;
  const total = Math.max(totalBytes ?? 0, bytes.byteLength);
  const room = Math.max(0, maxBytes - utf8Bytes(leftOut(total)));
  const head = cutEnd(bytes.subarray(0, Math.ceil(room / 2)));
  const tail = cutStart(bytes.subarray(bytes.byteLength - Math.floor(room / 2)));
  return head + leftOut(total - utf8Bytes(head) - utf8Bytes(tail)) + tail;
}

/** The first `maxBytes` of a text, with an ellipsis when it was longer; for messages, where the beginning says it all. */
export function capStart(text: string, maxBytes: number): string {
  const clean = wellFormed(text);
  if (clean.length * 3 <= maxBytes) return clean;
  const bytes = encoder.encode(clean);
  return bytes.byteLength <= maxBytes ? clean : `${cutEnd(bytes.subarray(0, Math.max(0, maxBytes - 3)))}…`;
}

function leftOut(bytes: number): string {
  return `\n… ${bytes} bytes left out …\n`;
}

/** Drops the part of a character at the end. */
function cutEnd(bytes: Uint8Array): string {
  let end = bytes.byteLength;
  let back = 1;
  while (back <= 4 && back <= end && isContinuation(bytes[end - back])) back += 1;
  const lead = bytes[end - back] ?? 0;
  const need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
  if (need > back) end -= back;
  return decoder.decode(bytes.subarray(0, end));
}

/** Drops the part of a character at the start. */
function cutStart(bytes: Uint8Array): string {
  let start = 0;
  while (start < bytes.byteLength && isContinuation(bytes[start])) start += 1;
  return decoder.decode(bytes.subarray(start));
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

// CSI, OSC (ended by BEL or ST) and the two-character escapes. Written as \u escapes, so that no control character stands in this file.
// oxlint-disable-next-line no-control-regex
const ANSI = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[ -/]*[0-~])|\u009b[0-?]*[ -/]*[@-~]/gu;

/** Removes terminal control sequences. */
export function stripAnsi(text: string): string {
  return text.replaceAll(ANSI, '');
}

/** Control characters in visible form (ESC → ␛, NUL → ␀, DEL → ␡, C1 and bidi overrides → �): output is hostile. Line feeds and tabs stay. */
export function printable(text: string): string {
  return (
    wellFormed(text)
      .replaceAll('\r\n', '\n')
      // oxlint-disable-next-line no-control-regex
      .replaceAll(/[\u0000-\u0008\u000b-\u001f]/gu, (char) => String.fromCodePoint(0x24_00 + (char.codePointAt(0) ?? 0)))
      .replaceAll('\u007f', '\u2421')
      .replaceAll(/[\u0080-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '\uFFFD')
  );
}

/** RFC 3339 with milliseconds, UTC. */
export function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
