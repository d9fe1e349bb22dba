const KEPT = /^[A-Za-z0-9._\-[\]]$/;
const MAX_BYTES = 200;
/** `~` is never produced by encoding, so a cut slug can never equal an uncut one. */
const CUT_MARK = '~';

/**
 * A name made safe for workflow ids, file names and URLs: letters, digits and `. _ - [ ]` stay, every other UTF-8 byte becomes `%XX`.
 * Different names have different slugs. A result over 200 bytes is cut and gets a hash of the whole name.
 */
export function slug(name: string): string {
  const pieces: string[] = [];
  for (const character of name) pieces.push(KEPT.test(character) ? character : percentEncode(character));
  // A leading dot would make `.`, `..` and hidden files possible where slugs become file names.
  if (pieces[0] === '.') pieces[0] = '%2E';
  const whole = pieces.join('');
  if (whole.length <= MAX_BYTES) return whole === '' ? '%00' : whole;
  const suffix = CUT_MARK + hash53(name);
  let kept = '';
  for (const piece of pieces) {
    if (kept.length + piece.length + suffix.length > MAX_BYTES) break;
    kept += piece;
  }
  return kept + suffix;
}

/** UTF-8 by hand: the workflow sandbox need not have TextEncoder, and encodeURIComponent throws on lone surrogates. */
function percentEncode(character: string): string {
  const code = character.codePointAt(0) as number;
  const bytes =
    code < 0x80
      ? [code]
      : code < 0x800
        ? [0xc0 | (code >> 6), 0x80 | (code & 0x3f)]
        : code < 0x10000
          ? [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)]
          : [0xf0 | (code >> 18), 0x80 | ((code >> 12) & 0x3f), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)];
  return bytes.map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}

/** cyrb53: 53 bits from two 32-bit lanes; as 14 hex digits. Not for security, only to keep cut names apart. */
export function hash53(text: string): string {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    high = Math.imul(high ^ unit, 2654435761);
    low = Math.imul(low ^ unit, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return (4294967296 * (2097151 & low) + (high >>> 0)).toString(16).padStart(14, '0');
}
