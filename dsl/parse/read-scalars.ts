import type { Reader } from './reader.ts';
import type { ScalarNode } from './yaml-node.ts';
import { giveUp, scalar } from './reader.ts';
import { BACKSLASH, DOUBLE, HASH, LF, SINGLE, SPACE, TAB, finishLine, isDocumentMarker, keyText, nextContent, scanPlain } from './scan.ts';
import { plainScalar } from './plain-value.ts';

/** A plain scalar in block style, with its continuation lines; ends at the next content. */
export function readBlockPlain(r: Reader, parentColumn: number): ScalarNode {
  const { text } = r;
  const start = r.pos;
  let { end, stop, colon } = scanPlain(text, start, false);
  if (colon) throw giveUp(stop, 'a key and its value stand inside another value');
  const first = end - start <= 24 ? keyText(text, start, end) : text.slice(start, end);
  let chunks: string[] | undefined;
  let parts: string[] | undefined;
  for (;;) {
    if (text.charCodeAt(stop) === HASH) {
      r.pos = end;
      finishLine(r);
      break;
    }
    const between = Math.min(stop + 1, text.length);
    r.pos = between;
    nextContent(r);
    if (r.column <= parentColumn) break;
    // A comment between the lines ends the scalar: what follows is an error, which the caller meets by its column.
    const gap = r.lineStart === between ? '' : text.slice(between, r.lineStart);
    if (gap.includes('#')) break;
    const contentAt = r.pos;
    ({ end, stop, colon } = scanPlain(text, contentAt, false));
    if (colon) throw giveUp(stop, 'a key cannot stand in the lines of a text');
    parts ??= [first];
    // Joined now and then: millions of short lines would keep millions of texts alive.
    if (parts.length > 2000) (chunks ??= []).push(parts.splice(0).join(''));
    parts.push(gap === '' ? ' ' : '\n'.repeat(countLines(gap)), text.slice(contentAt, end));
  }
  return parts ? scalar(r, (chunks?.join('') ?? '') + parts.join(''), start, end) : plainScalar(r, first, start, end);
}

function countLines(gap: string): number {
  let lines = 0;
  for (let at = gap.indexOf('\n'); at >= 0; at = gap.indexOf('\n', at + 1)) lines++;
  return lines;
}

const ESCAPES: { readonly [char: string]: string } = {
  '0': '\0',
  a: '\u0007',
  b: '\b',
  e: '\u001b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  N: '\u0085',
  _: '\u00a0',
  L: '\u2028',
  P: '\u2029',
  ' ': ' ',
  '"': '"',
  '/': '/',
  '\\': '\\',
  '\t': '\t',
};

const HEX_LENGTH: { readonly [char: string]: number } = { x: 2, u: 4, U: 8 };

/** A quoted scalar, also over several lines; ends behind the closing quote. */
export function readQuoted(r: Reader, parentColumn: number): ScalarNode {
  const { text } = r;
  const start = r.pos;
  const quote = text.charCodeAt(start);
  const double = quote === DOUBLE;
  const simple = simpleEnd(text, start + 1, quote);
  if (simple >= 0) {
    r.pos = simple + 1;
    return scalar(r, simple - start <= 24 ? keyText(text, start + 1, simple) : text.slice(start + 1, simple), start, simple + 1);
  }
  const parts: string[] = [];
  let from = start + 1;
  let p = from;
  let hasPairs = false;
  for (;;) {
    const c = text.charCodeAt(p);
    if (c === quote) {
      if (!double && text.charCodeAt(p + 1) === SINGLE) {
        hasPairs = true;
        p += 2;
        continue;
      }
      parts.push(text.slice(from, p));
      r.pos = p + 1;
      const value = parts.length === 1 ? (parts[0] as string) : parts.join('');
      return scalar(r, hasPairs ? value.replaceAll("''", "'") : value, start, p + 1);
    }
    if (p >= text.length) {
      r.openQuote = start;
      throw giveUp(start, 'the closing quote is missing');
    }
    if (c === BACKSLASH && double) {
      parts.push(text.slice(from, p));
      if (text.charCodeAt(p + 1) === LF) {
        p = continuation(r, p + 2, parentColumn);
        if (folded.blanks > 0) throw giveUp(p, 'empty lines after an escaped line end');
      } else {
        const escaped = readEscape(text, p);
        parts.push(escaped.value);
        p = escaped.next;
      }
      from = p;
    } else if (c === LF) {
      // Blanks before the line end go; those that an escape made are in a part of their own and stay.
      let end = p;
      while (end > from && (text.charCodeAt(end - 1) === SPACE || text.charCodeAt(end - 1) === TAB)) end--;
      parts.push(text.slice(from, end));
      p = continuation(r, p + 1, parentColumn);
      parts.push(folded.blanks > 0 ? '\n'.repeat(folded.blanks) : ' ');
      from = p;
    } else {
      p++;
    }
  }
}

/** Offset of the closing quote of a text on one line without escapes; −1 when it is not so simple. */
function simpleEnd(text: string, from: number, quote: number): number {
  for (let p = from; p < text.length; p++) {
    const c = text.charCodeAt(p);
    if (c === quote) return quote === SINGLE && text.charCodeAt(p + 1) === SINGLE ? -1 : p;
    if (c === LF || (c === BACKSLASH && quote === DOUBLE)) return -1;
  }
  return -1;
}

const folded = { blanks: 0 };

/** From a line start to the first content of the next line with any; counts the empty lines between in `folded`. */
function continuation(r: Reader, lineStart: number, parentColumn: number): number {
  const { text } = r;
  folded.blanks = 0;
  let start = lineStart;
  let p = start;
  for (;;) {
    while (text.charCodeAt(p) === SPACE || text.charCodeAt(p) === TAB) p++;
    if (text.charCodeAt(p) !== LF) break;
    folded.blanks++;
    start = p + 1;
    p = start;
  }
  if (p >= text.length) throw giveUp(r.pos, 'the closing quote is missing');
  let spaces = start;
  while (text.charCodeAt(spaces) === SPACE) spaces++;
  if (spaces - start <= parentColumn || isDocumentMarker(text, start)) throw giveUp(p, 'a quoted text must be indented more than its key');
  return p;
}

function readEscape(text: string, p: number): { value: string; next: number } {
  const char = text[p + 1] ?? '';
  const plain = ESCAPES[char];
  if (plain !== undefined) return { value: plain, next: p + 2 };
  const length = HEX_LENGTH[char];
  if (length === undefined) throw giveUp(p, `\\${char} is not an escape`);
  const digits = text.slice(p + 2, p + 2 + length);
  const code = /^[0-9a-fA-F]+$/.test(digits) && digits.length === length ? Number.parseInt(digits, 16) : -1;
  if (code < 0 || code > 0x10_ffff) throw giveUp(p, `\\${char} needs ${length} hexadecimal digits`);
  return { value: String.fromCodePoint(code), next: p + 2 + length };
}
