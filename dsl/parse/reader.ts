import type { MapNode, ScalarNode, SeqNode, YamlNode, YamlProblem } from './yaml-node.ts';

/** Nesting allowed in a suite text. */
export const MAX_DEPTH = 100;
/** Values in one file: bounds memory for texts made of nothing but separators. */
export const MAX_NODES = 1_500_000;
/** As the `yaml` parser: uses of an anchor times the uses inside of it. */
const MAX_ALIAS_COUNT = 100;
/** Values that aliases may add in all. */
const MAX_ALIAS_NODES = 100_000;

/** State of reading one text; the functions of fast-reader.ts and compose-region.ts work on it. */
export interface Reader {
  readonly text: string;
  /** Decodes the items of a block list under a top-level key as they come; see DecodedNode. */
  readonly decodeItem: DecodeItem | undefined;
  pos: number;
  /** Column (0-based) of the content at `pos` after `nextContent`; −1 at the end of the text. */
  column: number;
  /** Offset of the line `column` is counted in. */
  lineStart: number;
  depth: number;
  nodes: number;
  readonly anchors: Map<string, Anchor>;
  aliasWeight: number;
  aliasNodes: number;
  /** Problems that do not stop the reading. */
  readonly problems: YamlProblem[];
  /** Pairs and items that are being read, outermost first: parallel stacks, because an object for each would keep the collector busy. */
  readonly entryStarts: number[];
  readonly entryColumns: number[];
  readonly entryKinds: EntryKind[];
  entryTop: number;
  /** Collections under construction: values, and for maps keys and their offsets; cut to size when the collection is complete. */
  readonly values: YamlNode[];
  readonly keys: string[];
  readonly keyStarts: number[];
  /** Heights of these stacks: they are never cut, because cutting an array makes the engine copy it. */
  valuesTop: number;
  keysTop: number;
  /** Where a quoted text starts that does not end. */
  openQuote?: number;
  /** Characters handed to the slow parser so far. */
  regionChars: number;
}

/**
 * A pair of a block map or an item of a block list: the unit that can be handed to the slow parser;
 * `long` = known to be longer than a region may be.
 */
export type EntryKind = 'pair' | 'item' | 'long';

interface Anchor {
  /** Absent while its node is being read. */
  node?: YamlNode;
  count: number;
  weight: number;
  size: number;
}

export interface AnchorScope {
  readonly anchor: Anchor;
  readonly outerWeight: number;
  readonly nodesBefore: number;
}

/** `undefined` = the items of this section are not decoded early. */
export type DecodeItem = (section: string, item: YamlNode) => YamlNode | undefined;

export function createReader(text: string, decodeItem?: DecodeItem): Reader {
  return {
    text,
    decodeItem,
    pos: 0,
    column: 0,
    lineStart: 0,
    depth: 0,
    nodes: 0,
    anchors: new Map(),
    aliasWeight: 0,
    aliasNodes: 0,
    problems: [],
    entryStarts: [],
    entryColumns: [],
    entryKinds: [],
    entryTop: 0,
    values: [],
    keys: [],
    keyStarts: [],
    valuesTop: 0,
    keysTop: 0,
    regionChars: 0,
  };
}

/** Ends the reading: this problem is the one syntax error that is shown. */
export interface YamlStop extends Error {
  readonly code: 'YAML_STOP';
  readonly problem: YamlProblem;
}

export function stop(problem: YamlProblem): YamlStop {
  return Object.assign(new Error(problem.message), { code: 'YAML_STOP' as const, problem });
}

export function isYamlStop(error: unknown): error is YamlStop {
  return error instanceof Error && (error as Partial<YamlStop>).code === 'YAML_STOP';
}

/** The fast reader met something outside its part of YAML: the slow parser decides. `level` = index of the entry to hand over. */
export interface GiveUp extends Error {
  readonly code: 'YAML_GIVE_UP';
  readonly offset: number;
  readonly reason: string;
  level: number;
}

export function giveUp(offset: number, reason: string): GiveUp {
  return Object.assign(new Error(reason), { code: 'YAML_GIVE_UP' as const, offset, reason, level: -2 });
}

export function isGiveUp(error: unknown): error is GiveUp {
  return error instanceof Error && (error as Partial<GiveUp>).code === 'YAML_GIVE_UP';
}

function enterCollection(r: Reader, offset: number): void {
  if (++r.depth > MAX_DEPTH) throw tooDeep(offset);
  countNode(r, offset);
}

export function tooDeep(offset: number): YamlStop {
  return stop({ code: 'SUITE_TOO_DEEP', message: `values are nested more than ${MAX_DEPTH} levels deep here`, offset, length: 1 });
}

export function countNode(r: Reader, offset: number): void {
  if (++r.nodes > MAX_NODES) {
    throw stop({
      code: 'SUITE_TOO_LARGE',
      message: `the file holds more than ${MAX_NODES.toLocaleString('en')} values`,
      offset,
      length: 1,
    });
  }
}

export function scalar(r: Reader, value: ScalarNode['value'], start: number, end: number): ScalarNode {
  countNode(r, start);
  return { kind: 'scalar', value, start, end };
}

/** Starts a collection on the stacks; the result is handed to `closeList` or `closeMap`. */
export function openCollection(r: Reader, offset: number): number {
  enterCollection(r, offset);
  return r.valuesTop;
}

export function pushValue(r: Reader, value: YamlNode): void {
  r.values[r.valuesTop++] = value;
}

export function pushKey(r: Reader, key: string, start: number): void {
  r.keys[r.keysTop] = key;
  r.keyStarts[r.keysTop++] = start;
}

export function closeList(r: Reader, from: number, start: number, end: number): SeqNode {
  r.depth--;
  const items = r.values.slice(from, r.valuesTop);
  r.valuesTop = from;
  return { kind: 'seq', items, start, end };
}

/** `keysFrom` = height of `keys` when the map was opened. */
export function closeMap(r: Reader, from: number, keysFrom: number, start: number, end: number): MapNode {
  r.depth--;
  const keys = sharedKeys(r, keysFrom);
  const keyStarts = r.keyStarts.slice(keysFrom, r.keysTop);
  const values = r.values.slice(from, r.valuesTop);
  r.valuesTop = from;
  r.keysTop = keysFrom;
  if (keys) return { kind: 'map', keys, keyStarts, values, start, end };
  return withoutRefused(r, { kind: 'map', keys: r.keys.slice(keysFrom, keysFrom + keyStarts.length), keyStarts, values, start, end });
}

/** Lists of keys that were found good: ten thousand steps with the same keys share one, and are checked once. */
const goodKeys: (readonly string[])[] = Array.from({ length: 256 }, () => []);

function keysSlot(keys: readonly string[], from: number, top: number): number {
  const first = keys[from] as string;
  const last = keys[top - 1] as string;
  return ((top - from) * 31 + first.length * 7 + last.length * 3 + last.charCodeAt(0)) & 255;
}

function sharedKeys(r: Reader, from: number): readonly string[] | undefined {
  const { keys, keysTop } = r;
  if (keysTop === from) return [];
  const known = goodKeys[keysSlot(keys, from, keysTop)] as readonly string[];
  if (known.length !== keysTop - from) return undefined;
  for (let i = 0; i < known.length; i++) if (known[i] !== keys[from + i]) return undefined;
  return known;
}

/** Above this a map looks for duplicates by a Map; below, comparing is cheaper than building one. */
const SMALL_MAP = 12;

/** Takes out keys that no suite may have, and notes them at their place. */
function withoutRefused(r: Reader, map: MapNode): MapNode {
  const { keys } = map;
  let refused: Set<number> | undefined;
  const seen = keys.length > SMALL_MAP ? new Map<string, number>() : undefined;
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    const first = seen ? (seen.get(key) ?? i) : keys.indexOf(key);
    seen?.set(key, first);
    const problem = first < i ? duplicate(key) : refusal(key);
    if (!problem) continue;
    const start = map.keyStarts[i] as number;
    note(r, { ...problem, offset: start, length: keyLength(r.text, start, key) });
    refused ??= new Set();
    refused.add(i);
  }
  if (!refused) {
    if (keys.length <= SMALL_MAP) goodKeys[keysSlot(keys, 0, keys.length)] = keys;
    return map;
  }
  const kept = (_: unknown, index: number): boolean => !refused.has(index);
  return { ...map, keys: keys.filter(kept), keyStarts: map.keyStarts.filter(kept), values: map.values.filter(kept) };
}

type Refusal = Pick<YamlProblem, 'code' | 'message' | 'hint'>;

function duplicate(key: string): Refusal {
  return { code: 'SUITE_DUPLICATE_KEY', message: `the key ${JSON.stringify(key)} is written twice in this map` };
}

/** More problems of one text say nothing new. */
const MAX_PROBLEMS = 200;

export function note(r: Reader, found: YamlProblem): void {
  if (r.problems.length < MAX_PROBLEMS) r.problems.push(found);
}

function refusal(key: string): Refusal | undefined {
  if (key === '__proto__' || key === 'constructor' || key === 'prototype') {
    return { code: 'SUITE_FORBIDDEN_KEY', message: `the key ${JSON.stringify(key)} is not allowed anywhere in a suite` };
  }
  if (key === '<<') {
    return {
      code: 'SUITE_MERGE_KEY',
      message: 'merge keys (<<) are not part of YAML 1.2',
      hint: 'write the keys out, or move what is shared to context.defaults, context.env or a command with inputs',
    };
  }
  return undefined;
}

/** Characters that a key takes in the text. */
export function keyLength(text: string, start: number, key: string): number {
  const quoted = text[start] === '"' || text[start] === "'";
  return Math.max(1, key.length + (quoted ? 2 : 0));
}

export function openAnchor(r: Reader, name: string): AnchorScope {
  const anchor: Anchor = { count: 1, weight: 0, size: 0 };
  r.anchors.set(name, anchor);
  const scope = { anchor, outerWeight: r.aliasWeight, nodesBefore: r.nodes };
  r.aliasWeight = 1;
  return scope;
}

export function closeAnchor(r: Reader, scope: AnchorScope, node: YamlNode): void {
  scope.anchor.node = node;
  scope.anchor.weight = r.aliasWeight;
  scope.anchor.size = r.nodes - scope.nodesBefore;
  r.aliasWeight = Math.max(r.aliasWeight, scope.outerWeight);
}

/** The node an alias names; `offset` is the place of `*name`. */
export function resolveAlias(r: Reader, name: string, offset: number): YamlNode {
  const length = name.length + 1;
  const anchor = r.anchors.get(name);
  if (!anchor) {
    throw stop({
      code: 'SUITE_YAML',
      message: `there is no anchor &${name} before this alias`,
      offset,
      length,
      hint: `a text that starts with * must be in quotes`,
    });
  }
  if (!anchor.node) {
    throw stop({
      code: 'SUITE_YAML',
      message: `the alias *${name} lies inside its own anchor, so the value would never end`,
      offset,
      length,
    });
  }
  anchor.count += 1;
  const weight = anchor.count * anchor.weight;
  r.aliasWeight = Math.max(r.aliasWeight, weight);
  r.aliasNodes += anchor.size;
  r.nodes += anchor.size;
  if (weight > MAX_ALIAS_COUNT || r.aliasNodes > MAX_ALIAS_NODES) {
    throw stop({
      code: 'SUITE_ALIAS_LIMIT',
      message: 'the aliases of this file would expand to too many values',
      offset,
      length,
      hint: `an anchor may be used ${MAX_ALIAS_COUNT - 1} times, fewer when what it names holds aliases itself`,
    });
  }
  return anchor.node;
}
