import type { Reader } from './reader.ts';
import type { MapNode, SeqNode, YamlNode } from './yaml-node.ts';
import { composeRegion, regionLevel } from './compose-region.ts';
import {
  closeAnchor,
  closeList,
  closeMap,
  giveUp,
  isGiveUp,
  openAnchor,
  openCollection,
  pushKey,
  pushValue,
  resolveAlias,
  scalar,
} from './reader.ts';
import {
  AMPERSAND,
  COLON,
  DOUBLE,
  GREATER,
  HASH,
  LF,
  OPEN_LIST,
  OPEN_MAP,
  PIPE,
  SINGLE,
  SPACE,
  STAR,
  TAB,
  finishLine,
  isBlank,
  isDash,
  isPlainStart,
  keyText,
  nextContent,
  scanPlain,
  skipSpaces,
} from './scan.ts';
import { readFlow } from './read-flow.ts';
import { readBlockScalar } from './read-block-scalar.ts';
import { readBlockPlain, readQuoted } from './read-scalars.ts';

/**
 * The fast reader: the YAML that suites are written in (block and flow collections, all scalar styles, comments, anchors),
 * eleven times as fast as the `yaml` parser and with places. It accepts only what it reads exactly as `yaml` does;
 * at anything else it gives up, and `yaml` reads the smallest sensible part around that place and has the last word.
 */
export function readDocument(r: Reader): YamlNode | undefined {
  if (/---(?: *| +#[^\n]*)\n/y.test(r.text)) r.pos = r.text.indexOf('\n') + 1;
  nextContent(r);
  if (r.column < 0) return undefined;
  const root = readBlockNode(r, -1);
  if (r.column >= 0) throw giveUp(r.pos, 'this line does not belong to what stands above it');
  return root;
}

/** The value that starts at the current content line; ends at the next content that is not part of it. */
function readBlockNode(r: Reader, parentColumn: number): YamlNode {
  if (isDash(r)) return readBlockList(r, r.column);
  if (isKeyHere(r)) return readBlockMap(r, r.column);
  const c = r.text.charCodeAt(r.pos);
  if (c === AMPERSAND) throw giveUp(r.pos, 'an anchor on a line of its own');
  return readInline(r, parentColumn);
}

function isKeyHere(r: Reader): boolean {
  const { text, pos } = r;
  const c = text.charCodeAt(pos);
  if (c !== DOUBLE && c !== SINGLE) return isPlainStart(text, pos, false) && scanPlain(text, pos, false).colon;
  // A quoted key ends on its line; the cheap test is enough, readKey decides.
  let p = pos + 1;
  for (; p < text.length; p++) {
    const q = text.charCodeAt(p);
    if (q === LF) return false;
    if (q === 0x5c && c === DOUBLE && text.charCodeAt(p + 1) !== LF) p++;
    else if (q === c) {
      if (c === SINGLE && text.charCodeAt(p + 1) === SINGLE) p++;
      else break;
    }
  }
  p++;
  while (text.charCodeAt(p) === SPACE || text.charCodeAt(p) === TAB) p++;
  return text.charCodeAt(p) === COLON && isBlank(text.charCodeAt(p + 1));
}

/** A key with its `:`; ends behind the colon. */
function readKey(r: Reader): string {
  const { text } = r;
  const start = r.pos;
  const c = text.charCodeAt(start);
  if (c === DOUBLE || c === SINGLE) {
    if (!isKeyHere(r)) throw giveUp(start, 'a key must end with a colon and a space');
    const key = readQuoted(r, -1);
    while (isBlank(text.charCodeAt(r.pos))) r.pos++;
    r.pos++;
    if (r.pos - start > 1000) throw giveUp(start, 'this key is too long');
    return String(key.value);
  }
  if (!isPlainStart(text, start, false)) throw giveUp(start, 'a key cannot start with this character');
  const { end, stop, colon } = scanPlain(text, start, false);
  if (!colon) throw giveUp(start, 'this line is neither a "key: value" nor an item of a list');
  if (stop - start > 1000) throw giveUp(start, 'this key is too long');
  r.pos = stop + 1;
  return keyText(text, start, end);
}

function readBlockMap(r: Reader, column: number): MapNode {
  const start = r.pos;
  const from = openCollection(r, start);
  const keysFrom = r.keysTop;
  let end: number;
  for (;;) {
    if (isDash(r)) throw giveUp(r.pos, 'an item of a list stands between the keys of a map');
    const keyStart = r.pos;
    pushKey(r, readKey(r), keyStart);
    const keyEnd = r.pos;
    const value = readEntry(r, keyStart, column, 'pair');
    pushValue(r, value);
    end = Math.max(value.end, keyEnd);
    if (r.column < column) break;
    if (r.column > column) throw giveUp(r.pos, `this line is indented by ${r.column}, the keys above it by ${column}`);
  }
  return closeMap(r, from, keysFrom, start, end);
}

function readBlockList(r: Reader, column: number): SeqNode {
  const start = r.pos;
  const from = openCollection(r, start);
  let end: number;
  for (;;) {
    const dash = r.pos;
    r.pos++;
    const item = readEntry(r, dash, column, 'item');
    pushValue(r, isTopLevelItem(r) ? (r.decodeItem?.(r.keys[r.keysTop - 1] as string, item) ?? item) : item);
    end = Math.max(item.end, dash + 1);
    if (r.column > column) throw giveUp(r.pos, `this line is indented by ${r.column}, the items above it by ${column}`);
    if (r.column !== column || !isDash(r)) break;
  }
  return closeList(r, from, start, end);
}

/** Items of lists right under the root; not once there are anchors, because an alias could name what the item holds. */
function isTopLevelItem(r: Reader): boolean {
  return r.depth === 2 && r.keysTop > 0 && r.anchors.size === 0;
}

/** The value of a pair (`pos` behind the colon) or of an item (`pos` behind the dash), by the slow parser where needed. */
function readEntry(r: Reader, start: number, column: number, kind: 'pair' | 'item'): YamlNode {
  const level = r.entryTop++;
  const { depth } = r;
  const values = r.valuesTop;
  const keys = r.keysTop;
  r.entryStarts[level] = start;
  r.entryColumns[level] = column;
  r.entryKinds[level] = kind;
  try {
    const node = readValue(r, column, kind === 'item');
    r.entryTop = level;
    return node;
  } catch (error) {
    if (!isGiveUp(error)) throw error;
    // Decided once, where it happened: the outermost entry that is small enough.
    if (error.level === -2) error.level = regionLevel(r, error.offset);
    if (error.level !== level) throw error;
    r.depth = depth;
    r.valuesTop = values;
    r.keysTop = keys;
    r.entryTop = level;
    return composeRegion(r, start, column, kind);
  }
}

function readValue(r: Reader, column: number, isItem: boolean): YamlNode {
  const c = skipSpaces(r);
  const isEmpty = c === LF || r.pos >= r.text.length || (c === HASH && isBlank(r.text.charCodeAt(r.pos - 1)));
  if (isEmpty) return readNested(r, column, isItem);
  if (c === TAB) throw giveUp(r.pos, 'a tab stands where a space is expected');
  if (isItem) {
    r.column = r.pos - r.lineStart;
    if (isDash(r)) return readBlockList(r, r.column);
    if (isKeyHere(r)) return readBlockMap(r, r.column);
  }
  if (c === AMPERSAND) return readAnchored(r, column, isItem);
  return readInline(r, column);
}

/** What follows on the next lines: a nested block, a list at the column of its key, or nothing (null). */
function readNested(r: Reader, column: number, isItem: boolean): YamlNode {
  const at = r.pos;
  finishLine(r);
  if (r.column > column) return readBlockNode(r, column);
  if (!isItem && r.column === column && isDash(r)) return readBlockList(r, column);
  return scalar(r, null, at, at);
}

function readAnchored(r: Reader, column: number, isItem: boolean): YamlNode {
  const { text } = r;
  const start = r.pos;
  let p = start + 1;
  while (!isBlank(text.charCodeAt(p)) && !',[]{}'.includes(text[p] as string)) p++;
  const name = text.slice(start + 1, p);
  if (name === '' || name.endsWith(':') || !isBlank(text.charCodeAt(p))) throw giveUp(start, 'this anchor has no name');
  r.pos = p;
  const c = skipSpaces(r);
  if (c === LF || c === HASH || r.pos >= text.length) {
    const scope = openAnchor(r, name);
    const node = readNested(r, column, isItem);
    closeAnchor(r, scope, node);
    return node;
  }
  if (c === STAR || c === AMPERSAND || c === TAB || isDash(r) || isKeyHere(r)) throw giveUp(r.pos, 'a value is missing after the anchor');
  const scope = openAnchor(r, name);
  const node = readInline(r, column);
  closeAnchor(r, scope, node);
  return node;
}

/** A scalar or flow collection and the rest of its line; ends at the next content. */
function readInline(r: Reader, parentColumn: number): YamlNode {
  const { text } = r;
  const start = r.pos;
  const c = text.charCodeAt(start);
  if (c === PIPE || c === GREATER) return readBlockScalar(r, parentColumn);
  if (isPlainStart(text, start, false)) return readBlockPlain(r, parentColumn);
  let node: YamlNode;
  if (c === DOUBLE || c === SINGLE) node = readQuoted(r, parentColumn);
  else if (c === OPEN_LIST || c === OPEN_MAP) node = readFlow(r, parentColumn);
  else if (c === STAR) {
    let p = start + 1;
    while (!isBlank(text.charCodeAt(p)) && !',[]{}'.includes(text[p] as string)) p++;
    const name = text.slice(start + 1, p);
    if (name === '' || name.endsWith(':')) throw giveUp(start, 'this alias has no name');
    r.pos = p;
    node = resolveAlias(r, name, start);
  } else {
    throw giveUp(start, 'a value cannot start with this character; write it in quotes');
  }
  finishLine(r);
  return node;
}
