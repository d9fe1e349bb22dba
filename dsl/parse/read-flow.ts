import type { Reader } from './reader.ts';
import type { MapNode, SeqNode, YamlNode } from './yaml-node.ts';
import {
  closeAnchor,
  closeList,
  closeMap,
  giveUp,
  openAnchor,
  openCollection,
  pushKey,
  pushValue,
  resolveAlias,
  scalar,
} from './reader.ts';
import {
  AMPERSAND,
  CLOSE_LIST,
  CLOSE_MAP,
  COLON,
  COMMA,
  DOUBLE,
  HASH,
  LF,
  OPEN_LIST,
  OPEN_MAP,
  SINGLE,
  SPACE,
  STAR,
  TAB,
  isBlank,
  isDocumentMarker,
  isFlowIndicator,
  isPlainStart,
  keyText,
  scanPlain,
} from './scan.ts';
import { plainScalar } from './plain-value.ts';
import { readQuoted } from './read-scalars.ts';

/** A `[…]` or `{…}`; ends behind its closing bracket. */
export function readFlow(r: Reader, parentColumn: number): YamlNode {
  return r.text.charCodeAt(r.pos) === OPEN_LIST ? readFlowList(r, parentColumn) : readFlowMap(r, parentColumn);
}

function readFlowList(r: Reader, parentColumn: number): SeqNode {
  const start = r.pos;
  const from = openCollection(r, start);
  r.pos++;
  for (;;) {
    if (skipFlowSpace(r, parentColumn) === CLOSE_LIST) break;
    pushValue(r, readFlowValue(r, parentColumn));
    const c = skipFlowSpace(r, parentColumn);
    if (c === COMMA) r.pos++;
    else if (c !== CLOSE_LIST) throw giveUp(r.pos, 'a comma or ] is missing');
  }
  r.pos++;
  return closeList(r, from, start, r.pos);
}

function readFlowMap(r: Reader, parentColumn: number): MapNode {
  const start = r.pos;
  const from = openCollection(r, start);
  const keysFrom = r.keysTop;
  r.pos++;
  for (;;) {
    if (skipFlowSpace(r, parentColumn) === CLOSE_MAP) break;
    const keyStart = r.pos;
    pushKey(r, readFlowKey(r, parentColumn), keyStart);
    let c = skipFlowSpace(r, parentColumn);
    const isEmpty = c === COMMA || c === CLOSE_MAP;
    pushValue(r, isEmpty ? scalar(r, null, r.pos, r.pos) : readFlowValue(r, parentColumn));
    c = skipFlowSpace(r, parentColumn);
    if (c === COMMA) r.pos++;
    else if (c !== CLOSE_MAP) throw giveUp(r.pos, 'a comma or } is missing');
  }
  r.pos++;
  return closeMap(r, from, keysFrom, start, r.pos);
}

/** A key with its `:`; ends behind the colon. */
function readFlowKey(r: Reader, parentColumn: number): string {
  const { text } = r;
  const start = r.pos;
  const c = text.charCodeAt(start);
  if (c === DOUBLE || c === SINGLE) {
    const key = readQuoted(r, parentColumn);
    while (text.charCodeAt(r.pos) === SPACE) r.pos++;
    if (text.charCodeAt(r.pos) !== COLON || key.end - start > 1000 || text.slice(start, key.end).includes('\n')) {
      throw giveUp(start, 'a key of a {…} map needs a colon and a value');
    }
    r.pos++;
    return String(key.value);
  }
  if (!isPlainStart(text, start, true)) throw giveUp(start, 'a key cannot start with this character');
  const { end, stop, colon } = scanPlain(text, start, true);
  if (!colon || stop - start > 1000) throw giveUp(start, 'a key of a {…} map needs a colon, a space and a value');
  r.pos = stop + 1;
  return keyText(text, start, end);
}

function readFlowValue(r: Reader, parentColumn: number): YamlNode {
  const { text } = r;
  const c = text.charCodeAt(r.pos);
  if (c === OPEN_LIST || c === OPEN_MAP) return notAKey(r, readFlow(r, parentColumn));
  if (c === DOUBLE || c === SINGLE) return notAKey(r, readQuoted(r, parentColumn));
  if (c === STAR || c === AMPERSAND) return readFlowAnchor(r, parentColumn, c === STAR);
  const start = r.pos;
  if (!isPlainStart(text, start, true)) throw giveUp(start, 'a value cannot start with this character');
  const { end, stop, colon } = scanPlain(text, start, true);
  // Plain text over several lines and pairs inside lists are left to the slow parser.
  if (colon) throw giveUp(stop, 'a pair stands where a value is expected');
  if (!isFlowIndicator(text.charCodeAt(stop))) throw giveUp(stop, 'a comma or closing bracket is missing');
  r.pos = stop;
  return plainScalar(r, keyText(text, start, end), start, end);
}

function notAKey<T extends YamlNode>(r: Reader, node: T): T {
  let p = r.pos;
  while (isBlank(r.text.charCodeAt(p)) && p < r.text.length) p++;
  if (r.text.charCodeAt(p) === COLON) throw giveUp(p, 'a pair stands where a value is expected');
  return node;
}

function readFlowAnchor(r: Reader, parentColumn: number, isAlias: boolean): YamlNode {
  const { text } = r;
  const start = r.pos;
  let p = start + 1;
  while (p < text.length && !isBlank(text.charCodeAt(p)) && !isFlowIndicator(text.charCodeAt(p))) p++;
  const name = text.slice(start + 1, p);
  if (name === '' || name.endsWith(':')) throw giveUp(start, 'this anchor has no name');
  r.pos = p;
  if (isAlias) return notAKey(r, resolveAlias(r, name, start));
  if (text.charCodeAt(p) !== SPACE) throw giveUp(start, 'a space is missing after the anchor');
  skipFlowSpace(r, parentColumn);
  const next = text.charCodeAt(r.pos);
  if (next === STAR || next === AMPERSAND || next === COMMA || next === CLOSE_LIST || next === CLOSE_MAP) {
    throw giveUp(r.pos, 'a value is missing after the anchor');
  }
  const scope = openAnchor(r, name);
  const node = readFlowValue(r, parentColumn);
  closeAnchor(r, scope, node);
  return node;
}

/** Skips blanks, line ends and comments; lines must be indented more than the parent. Returns the next character. */
function skipFlowSpace(r: Reader, parentColumn: number): number {
  const { text } = r;
  let p = r.pos;
  for (;;) {
    const c = text.charCodeAt(p);
    if (c === SPACE || c === TAB) {
      p++;
    } else if (c === LF) {
      const lineStart = p + 1;
      p = lineStart;
      while (text.charCodeAt(p) === SPACE) p++;
      const next = text.charCodeAt(p);
      if (next === TAB) throw giveUp(p, 'a tab cannot be used for indentation');
      if (next !== LF && next !== HASH && (p - lineStart <= parentColumn || isDocumentMarker(text, lineStart))) {
        throw giveUp(p, 'the lines of a […] or {…} value must be indented more than its key');
      }
    } else if (c === HASH && isBlank(text.charCodeAt(p - 1))) {
      const eol = text.indexOf('\n', p);
      p = eol < 0 ? text.length : eol;
    } else {
      if (p >= text.length) throw giveUp(r.pos, 'the closing bracket is missing');
      r.pos = p;
      return c;
    }
  }
}
