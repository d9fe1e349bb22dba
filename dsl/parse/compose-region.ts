import type { CST, ParsedNode } from 'yaml';
import type { EntryKind, Reader } from './reader.ts';
import type { ScalarNode, YamlNode } from './yaml-node.ts';
import { Composer, Parser, isAlias, isMap, isScalar, isSeq } from 'yaml';
import {
  MAX_DEPTH,
  closeAnchor,
  closeList,
  closeMap,
  openAnchor,
  openCollection,
  pushKey,
  pushValue,
  resolveAlias,
  scalar,
  stop,
  tooDeep,
} from './reader.ts';
import { checkedNumber, plainScalar } from './plain-value.ts';
import { nextContent, DASH, LF, SPACE, HASH, isBlank } from './scan.ts';
import { yamlErrorProblem } from './yaml-errors.ts';

/** Characters the slow parser may get at once (about 0.2 s) and in all per file: bounds the time of any text. */
const MAX_REGION = 256 * 1024;
const MAX_REGION_TOTAL = 1024 * 1024;
/** What a region costs at least: setting the slow parser up takes as long as reading so many characters. */
const REGION_COST = 4096;

/** Whether the whole text may go to the slow parser. */
export function fitsRegion(text: string): boolean {
  return text.length <= MAX_REGION;
}

/** Index of the outermost open entry that is small enough for the slow parser; −1 when there is none (or the whole text is). */
export function regionLevel(r: Reader, offset: number): number {
  if (fitsRegion(r.text)) return -1;
  for (let level = 0; level < r.entryTop; level++) {
    const kind = r.entryKinds[level] as EntryKind;
    if (kind === 'long') continue;
    const start = r.entryStarts[level] as number;
    const end = regionEnd(r.text, start, r.entryColumns[level] as number, kind);
    if (end === undefined || end < offset) r.entryKinds[level] = 'long';
    else if (r.regionChars + Math.max(end - start, REGION_COST) <= MAX_REGION_TOTAL) return level;
  }
  return -1;
}

/** Where the entry ends by indentation; `undefined` when that is too far away. */
function regionEnd(text: string, start: number, column: number, kind: EntryKind): number | undefined {
  let at = text.indexOf('\n', start);
  while (at >= 0 && at - start <= MAX_REGION) {
    const lineStart = at + 1;
    let p = lineStart;
    while (text.charCodeAt(p) === SPACE) p++;
    const c = text.charCodeAt(p);
    if (c !== LF && c !== HASH && p < text.length) {
      const indent = p - lineStart;
      const ownItem = kind === 'pair' && indent === column && c === DASH && isBlank(text.charCodeAt(p + 1));
      if (indent <= column && !ownItem) return lineStart;
    }
    at = text.indexOf('\n', lineStart);
  }
  return at < 0 && text.length - start <= MAX_REGION ? text.length : undefined;
}

/** Reads an open entry by the slow parser and goes on behind it. */
export function composeRegion(r: Reader, start: number, column: number, kind: 'pair' | 'item'): YamlNode {
  const end = regionEnd(r.text, start, column, kind) ?? r.text.length;
  r.regionChars += Math.max(end - start, REGION_COST);
  const node = composeText(r, ' '.repeat(column) + r.text.slice(start, end), start - column);
  r.pos = end;
  nextContent(r);
  const only = node?.kind === 'map' && kind === 'pair' ? node.values : node?.kind === 'seq' && kind === 'item' ? node.items : [];
  // A refused key (duplicate, __proto__) leaves no value; its problem is already noted.
  return only[0] ?? scalar(r, null, start, start);
}

/** Reads a text by the slow parser; `shift` is added to its offsets. The first error or warning stops the reading. */
export function composeText(r: Reader, text: string, shift: number): YamlNode | undefined {
  const tokens = [...new Parser().parse(text)];
  // Everything up to here is linear and without recursion; the composer is not.
  checkDepth(tokens, shift, MAX_DEPTH - r.depth);
  const composer = new Composer({ stringKeys: true, uniqueKeys: false, strict: true, version: '1.2', schema: 'core', logLevel: 'silent' });
  const documents = [...composer.compose(tokens, true, text.length)];
  const [first, second] = documents;
  const troubles = [...(first?.errors ?? []), ...(first?.warnings ?? [])].sort((a, b) => a.pos[0] - b.pos[0]);
  const trouble = troubles[0];
  if (second && (!trouble || trouble.pos[0] >= second.range[0])) {
    throw stop({
      code: 'SUITE_YAML',
      message: 'a suite is one YAML document; a second one starts here',
      offset: second.range[0] + shift,
      length: 3,
    });
  }
  if (trouble) throw stop(yamlErrorProblem(trouble, r.text, shift, r.openQuote));
  const root = first?.contents;
  return root ? convert(r, root, shift) : undefined;
}

/** Refuses deep nesting on the flat-built token tree, without recursion. */
function checkDepth(tokens: readonly CST.Token[], shift: number, allowed: number): void {
  const stack: { token: CST.Token; depth: number }[] = tokens.map((token) => ({ token, depth: 0 }));
  for (let top = stack.pop(); top; top = stack.pop()) {
    const { token, depth } = top;
    if (token.type === 'document') {
      if (token.value) stack.push({ token: token.value, depth });
    } else if ('items' in token) {
      if (depth >= allowed) throw stop(tooDeep(token.offset + shift).problem);
      for (const item of token.items) {
        if (item.key) stack.push({ token: item.key, depth: depth + 1 });
        if (item.value) stack.push({ token: item.value, depth: depth + 1 });
      }
    }
  }
}

function convert(r: Reader, node: ParsedNode, shift: number): YamlNode {
  const start = node.range[0] + shift;
  if (isAlias(node)) return resolveAlias(r, node.source, start);
  const name = node.anchor;
  if (name === undefined) return convertValue(r, node, shift);
  const scope = openAnchor(r, name);
  const value = convertValue(r, node, shift);
  closeAnchor(r, scope, value);
  return value;
}

function convertValue(r: Reader, node: ParsedNode, shift: number): YamlNode {
  const start = node.range[0] + shift;
  const end = node.range[1] + shift;
  if (isMap(node)) {
    const from = openCollection(r, start);
    const keysFrom = r.keysTop;
    for (const pair of node.items) {
      const key = keyScalar(pair.key, shift, start);
      pushKey(r, String(key.value), key.start);
      const { value } = pair;
      pushValue(r, value ? convert(r, value, shift) : scalar(r, null, key.end, key.end));
    }
    return closeMap(r, from, keysFrom, start, end);
  }
  if (isSeq(node)) {
    const from = openCollection(r, start);
    for (const item of node.items) pushValue(r, convert(r, item, shift));
    return closeList(r, from, start, end);
  }
  if (isScalar(node)) {
    const source = node.source ?? '';
    if (node.type === 'PLAIN' && node.tag === undefined && typeof node.value !== 'string') return plainScalar(r, source, start, end);
    const { value } = node;
    if (typeof value === 'number') return scalar(r, checkedNumber(r, value, source, start, end), start, end);
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return scalar(r, value, start, end);
    throw stop({
      code: 'SUITE_YAML',
      message: 'this kind of value cannot stand in a suite',
      offset: start,
      length: Math.max(1, end - start),
    });
  }
  return scalar(r, null, start, end);
}

function keyScalar(key: ParsedNode | null, shift: number, mapStart: number): ScalarNode {
  if (!key) return { kind: 'scalar', value: '', start: mapStart, end: mapStart };
  const [start, end] = key.range;
  // With stringKeys the parser gives texts; it has reported all others.
  if (isScalar(key) && typeof key.value === 'string') return { kind: 'scalar', value: key.value, start: start + shift, end: end + shift };
  throw stop({ code: 'SUITE_YAML', message: 'a key must be a text', offset: start + shift, length: 1 });
}
