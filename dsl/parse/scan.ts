import type { Reader } from './reader.ts';
import { giveUp } from './reader.ts';

export const TAB = 0x09;
export const LF = 0x0a;
export const SPACE = 0x20;
export const DOUBLE = 0x22;
export const HASH = 0x23;
export const SINGLE = 0x27;
export const COMMA = 0x2c;
export const DASH = 0x2d;
export const DOT = 0x2e;
export const COLON = 0x3a;
export const QUESTION = 0x3f;
export const OPEN_LIST = 0x5b;
export const BACKSLASH = 0x5c;
export const CLOSE_LIST = 0x5d;
export const OPEN_MAP = 0x7b;
export const PIPE = 0x7c;
export const CLOSE_MAP = 0x7d;
export const GREATER = 0x3e;
export const AMPERSAND = 0x26;
export const STAR = 0x2a;

/** True for space, tab, line end and the end of the text (`charCodeAt` gives NaN there). */
export function isBlank(code: number): boolean {
  return code === SPACE || code === LF || code === TAB || Number.isNaN(code);
}

export function isFlowIndicator(code: number): boolean {
  return code === COMMA || code === OPEN_LIST || code === CLOSE_LIST || code === OPEN_MAP || code === CLOSE_MAP;
}

/** From a line start to the next content: sets `pos`, `column` (−1 at the end) and `lineStart`. */
export function nextContent(r: Reader): void {
  const { text } = r;
  for (;;) {
    const lineStart = r.pos;
    let p = lineStart;
    while (text.charCodeAt(p) === SPACE) p++;
    const c = text.charCodeAt(p);
    if (c === LF) {
      r.pos = p + 1;
    } else if (c === HASH) {
      const eol = text.indexOf('\n', p);
      r.pos = eol < 0 ? text.length : eol + 1;
    } else if (p >= text.length) {
      r.pos = text.length;
      r.lineStart = lineStart;
      r.column = -1;
      return;
    } else {
      if (c === TAB) throw giveUp(p, 'a tab cannot be used for indentation');
      if (p === lineStart && isDocumentMarker(text, p)) throw giveUp(p, 'a suite is one YAML document');
      r.pos = p;
      r.lineStart = lineStart;
      r.column = p - lineStart;
      return;
    }
  }
}

export function isDocumentMarker(text: string, p: number): boolean {
  const c = text.charCodeAt(p);
  if (c !== DASH && c !== DOT) return false;
  return text.charCodeAt(p + 1) === c && text.charCodeAt(p + 2) === c && isBlank(text.charCodeAt(p + 3));
}

/** After a value: only spaces and a comment may follow on its line. Ends at the next content. */
export function finishLine(r: Reader): void {
  const { text } = r;
  let p = r.pos;
  while (text.charCodeAt(p) === SPACE || text.charCodeAt(p) === TAB) p++;
  const c = text.charCodeAt(p);
  if (c === HASH && p > r.pos) {
    const eol = text.indexOf('\n', p);
    p = eol < 0 ? text.length : eol;
  } else if (c !== LF && p < text.length) {
    throw giveUp(p, 'unexpected text after the value');
  }
  r.pos = Math.min(p + 1, text.length);
  nextContent(r);
}

export function skipSpaces(r: Reader): number {
  const { text } = r;
  let p = r.pos;
  while (text.charCodeAt(p) === SPACE) p++;
  r.pos = p;
  return text.charCodeAt(p);
}

/** True when `- ` (an item of a block list) stands here. */
export function isDash(r: Reader): boolean {
  return r.text.charCodeAt(r.pos) === DASH && isBlank(r.text.charCodeAt(r.pos + 1));
}

/** Whether a plain scalar may start with this character. */
export function isPlainStart(text: string, p: number, inFlow: boolean): boolean {
  const c = text.charCodeAt(p);
  if (c === DASH || c === QUESTION || c === COLON) {
    const next = text.charCodeAt(p + 1);
    return !isBlank(next) && !(inFlow && isFlowIndicator(next));
  }
  // , [ ] { } # & * ! | > ' " % @ `
  return !(
    isBlank(c) ||
    isFlowIndicator(c) ||
    c === HASH ||
    c === AMPERSAND ||
    c === STAR ||
    c === 0x21 ||
    c === PIPE ||
    c === GREATER ||
    c === SINGLE ||
    c === DOUBLE ||
    c === 0x25 ||
    c === 0x40 ||
    c === 0x60
  );
}

/** Where a plain scalar stopped on its line: at `: `, at the line end, at a comment, or (in flow) at an indicator. */
export interface PlainScan {
  end: number;
  stop: number;
  colon: boolean;
}

const scan: PlainScan = { end: 0, stop: 0, colon: false };

/** Scans a plain scalar on one line. The result is overwritten by the next call. */
export function scanPlain(text: string, start: number, inFlow: boolean): PlainScan {
  let end = start;
  let p = start;
  let colon = false;
  for (; p < text.length; p++) {
    const c = text.charCodeAt(p);
    if (c > COLON && !inFlow) {
      end = p + 1;
      continue;
    }
    if (c === LF) break;
    if (c === SPACE || c === TAB) continue;
    if (c === COLON) {
      const next = text.charCodeAt(p + 1);
      if (isBlank(next) || (inFlow && isFlowIndicator(next))) {
        colon = true;
        break;
      }
    } else if (c === HASH && p > start && isBlank(text.charCodeAt(p - 1))) {
      break;
    } else if (inFlow && isFlowIndicator(c)) {
      break;
    }
    end = p + 1;
  }
  scan.end = end;
  scan.stop = p;
  scan.colon = colon;
  return scan;
}

/** The same few keys stand in a suite ten thousand times: each is cut out of the text once. */
const recentKeys: string[] = Array.from({ length: 1024 }, () => '');

export function keyText(text: string, start: number, end: number): string {
  const length = end - start;
  const slot = (length * 31 + text.charCodeAt(start) * 7 + text.charCodeAt(end - 1)) & 1023;
  const recent = recentKeys[slot] as string;
  if (recent.length === length && text.startsWith(recent, start)) return recent;
  const key = text.slice(start, end);
  if (length <= 32) recentKeys[slot] = key;
  return key;
}
