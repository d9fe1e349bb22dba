import type { Reader } from './reader.ts';
import type { ScalarNode } from './yaml-node.ts';
import { giveUp, scalar } from './reader.ts';
import {
  BACKSLASH,
  DOUBLE,
  GREATER,
  HASH,
  LF,
  SINGLE,
  SPACE,
  TAB,
  finishLine,
  isDocumentMarker,
  keyText,
  nextContent,
  scanPlain,
} from './scan.ts';
import { plainScalar } from './plain-value.ts';

/** A plain scalar in block style, with its continuation lines; ends at the next content. */
export function readBlockPlain(r: Reader, parentColumn: number): ScalarNode {
  const { text } = r;
  const start = r.pos;
  let { end, stop, colon } = scanPlain(text, start, false);
  if (colon) throw giveUp(stop, 'a key and its value stand inside another value');
  let value = end - start <= 24 ? keyText(text, start, end) : text.slice(start, end);
  let lines = 1;
  for (;;) {
    if (text.charCodeAt(stop) === HASH) {
      r.pos = end;
      finishLine(r);
      break;
    }
    r.pos = Math.min(stop + 1, text.length);
    const between = r.pos;
    nextContent(r);
    if (r.column <= parentColumn) break;
    // A comment between the lines ends the scalar: what follows is an error, which the caller meets by its column.
    const gap = text.slice(between, r.lineStart);
    if (gap.includes('#')) break;
    const contentAt = r.pos;
    ({ end, stop, colon } = scanPlain(text, contentAt, false));
    if (colon) throw giveUp(stop, 'a key cannot stand in the lines of a text');
    const blanks = countLines(gap);
    value += blanks > 0 ? '\n'.repeat(blanks) : ' ';
    value += text.slice(contentAt, end);
    lines++;
  }
  return lines === 1 ? plainScalar(r, value, start, end) : scalar(r, value, start, end);
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
  let value = '';
  let from = start + 1;
  let p = from;
  // Characters before this length came from escapes: folding must not trim them.
  let fixed = 0;
  for (;;) {
    const c = text.charCodeAt(p);
    if (c === quote) {
      if (!double && text.charCodeAt(p + 1) === SINGLE) {
        value += text.slice(from, p + 1);
        p += 2;
        from = p;
        continue;
      }
      value += text.slice(from, p);
      r.pos = p + 1;
      return scalar(r, value, start, p + 1);
    }
    if (p >= text.length) throw giveUp(start, 'the closing quote is missing');
    if (c === BACKSLASH && double) {
      value += text.slice(from, p);
      if (text.charCodeAt(p + 1) === LF) {
        p = continuation(r, p + 2, parentColumn);
        if (folded.blanks > 0) throw giveUp(p, 'empty lines after an escaped line end');
      } else {
        const escaped = readEscape(text, p);
        value += escaped.value;
        p = escaped.next;
      }
      fixed = value.length;
      from = p;
    } else if (c === LF) {
      value += text.slice(from, p);
      let keep = value.length;
      while (keep > fixed && (value.charCodeAt(keep - 1) === SPACE || value.charCodeAt(keep - 1) === TAB)) keep--;
      p = continuation(r, p + 1, parentColumn);
      value = value.slice(0, keep) + (folded.blanks > 0 ? '\n'.repeat(folded.blanks) : ' ');
      fixed = value.length;
      from = p;
    } else {
      p++;
    }
  }
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

/** A literal (`|`) or folded (`>`) block scalar; ends at the next content. */
export function readBlockScalar(r: Reader, parentColumn: number): ScalarNode {
  const { text } = r;
  const start = r.pos;
  const header = /[|>]([-+]?)(?: +#[^\n]*| *)(?:\n|$)/y;
  header.lastIndex = start;
  const match = header.exec(text);
  // An explicit indentation is left to the slow parser.
  if (!match) throw giveUp(start, 'this block text has an unusual header');
  const isFolded = text.charCodeAt(start) === GREATER;
  const lines: { indent: number; content: string }[] = [];
  let p = start + match[0].length;
  let indent = -1;
  let leading = 0;
  let terminated = true;
  while (p < text.length) {
    let q = p;
    while (text.charCodeAt(q) === SPACE) q++;
    const c = text.charCodeAt(q);
    const spaces = q - p;
    if (c !== LF && q < text.length) {
      if (indent < 0) {
        if (spaces <= parentColumn) break;
        if (leading > spaces || (spaces === 0 && isDocumentMarker(text, p)) || c === TAB)
          throw giveUp(q, 'the first line of a block text sets its indentation');
        indent = spaces;
      } else if (spaces < indent) {
        break;
      }
      if (spaces === 0 && isDocumentMarker(text, p)) break;
    } else if (indent < 0) {
      leading = Math.max(leading, spaces);
    }
    let eol = text.indexOf('\n', q);
    terminated = eol >= 0;
    if (eol < 0) eol = text.length;
    lines.push({ indent: spaces, content: text.slice(q, eol) });
    p = eol + 1;
  }
  r.pos = Math.min(p, text.length);
  const value = blockText(lines, Math.max(indent, leading), isFolded, match[1] ?? '', terminated);
  if (value === undefined) throw giveUp(start, 'this block text ends in an unusual way');
  const end = r.pos;
  // A text that ends by indentation may be followed by less indented text only where the caller allows it.
  nextContent(r);
  return scalar(r, value, start, end);
}

type Line = { readonly indent: number; readonly content: string };

function blockText(lines: readonly Line[], trim: number, isFolded: boolean, chomp: string, terminated: boolean): string | undefined {
  let used = lines.length;
  while (used > 0 && lines[used - 1]?.content === '') used--;
  // Rare endings: no content, keep (+), blank lines that are indented more, a last line of blanks without its line end.
  if (used === 0 || chomp === '+') return undefined;
  for (let i = used; i < lines.length; i++) if ((lines[i]?.indent ?? 0) > trim) return undefined;
  if (!terminated && used < lines.length) return undefined;
  let first = 0;
  let value = '';
  while (lines[first]?.content === '') {
    value += '\n';
    first++;
  }
  let separator = '';
  let moreIndented = false;
  for (let i = first; i < used; i++) {
    const { indent, content } = lines[i] as Line;
    const extra = indent > trim ? ' '.repeat(indent - trim) : '';
    if (!isFolded) {
      value += separator + extra + content;
      separator = '\n';
    } else if (indent > trim || content.charCodeAt(0) === TAB) {
      if (separator === ' ') separator = '\n';
      else if (!moreIndented && separator === '\n') separator = '\n\n';
      value += separator + extra + content;
      separator = '\n';
      moreIndented = true;
    } else if (content === '') {
      if (separator === '\n') value += '\n';
      else separator = '\n';
    } else {
      value += separator + content;
      separator = ' ';
      moreIndented = false;
    }
  }
  return chomp === '-' ? value : `${value}\n`;
}
