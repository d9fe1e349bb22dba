import type { Value, ValueMap } from '../model/value.ts';
import type { Context } from './context.ts';
import type { Spec } from './spec.ts';
import type { DecodedNode, MapNode, YamlNode } from './yaml-node.ts';
import { isDecoded } from './yaml-node.ts';
import { isFull, keyPlace, problem } from './context.ts';
import { suggest } from '../expression/suggest.ts';

/** One type of the language: reads a node into the model, and says in words and as data what it allows. */
export interface Shape<T> {
  /** Completes "must be …". */
  readonly form: string;
  /** For the JSON Schema. */
  readonly spec: Spec;
  /** `undefined` = a problem was reported. `label` names the value in messages, usually its key in quotes. */
  decode(node: YamlNode, context: Context, label: string): T | undefined;
}

/** Reports a value outside its type. */
export function wrongType(node: YamlNode, context: Context, label: string, form: string, hint?: string): undefined {
  const message = isEmpty(node) ? `${label} has no value; it must be ${form}` : `${label} must be ${form}; this is ${describe(node)}`;
  problem(context, 'SUITE_WRONG_TYPE', message, placeOf(node), hint);
  return undefined;
}

function isEmpty(node: YamlNode): boolean {
  return node.kind === 'scalar' && node.value === null && node.start === node.end;
}

/** The first line of a collection is enough to underline. */
export function placeOf(node: YamlNode): { start: number; end: number } {
  return node.kind === 'scalar' ? node : { start: node.start, end: node.start + 1 };
}

function describe(node: YamlNode): string {
  if (node.kind === 'seq') return 'a list';
  if (node.kind === 'map') return 'a map';
  const { value } = node;
  if (value === null) return 'null';
  if (typeof value === 'string') return `the text ${quote(value)}`;
  return typeof value === 'number' ? `the number ${value}` : String(value);
}

/** A text of the suite in a message: one line, short. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}…` : text);
}

/** A value as plain data. Keys are safe: the reader has refused `__proto__` and its like. */
export function toValue(node: YamlNode): Value {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'seq') return node.items.map(toValue);
  return toValueMap(node);
}

export function toValueMap(node: MapNode): ValueMap {
  const map: { [key: string]: Value } = {};
  node.keys.forEach((key, index) => {
    map[key] = toValue(node.values[index] as YamlNode);
  });
  return map;
}

export function list<T>(item: Shape<T>, form = `a list (each entry ${item.form})`): Shape<T[]> {
  return {
    form,
    spec: { type: 'list', of: item.spec },
    decode(node, context, label) {
      if (node.kind !== 'seq') return wrongType(node, context, label, form);
      return decodeItems(node.items, item, context, label);
    },
  };
}

function decodeItems<T>(items: readonly YamlNode[], item: Shape<T>, context: Context, label: string): T[] | undefined {
  const values: T[] = [];
  const itemLabel = `an entry of ${label}`;
  for (const node of items) {
    if (isFull(context)) return undefined;
    const value = isDecoded(node) ? (node.decoded as T | undefined) : item.decode(node, context, itemLabel);
    if (value !== undefined) values.push(value);
  }
  return values.length === items.length ? values : undefined;
}

/** How a list decodes its items early, see DecodedNode; the same words as in `list`. */
export function decodeEarly(item: Shape<unknown>, node: YamlNode, context: Context, section: string): DecodedNode {
  const decoded = isFull(context) ? undefined : item.decode(node, context, `an entry of "${section}"`);
  return { kind: 'scalar', value: null, start: node.start, end: node.end, decoded };
}

/** A single value means a list of one. */
export function oneOrList<T>(item: Shape<T>): Shape<T[]> {
  const form = `${item.form}, or a list of these`;
  return {
    form,
    spec: { type: 'union', of: [item.spec, { type: 'list', of: item.spec }] },
    decode(node, context, label) {
      if (node.kind === 'seq') return decodeItems(node.items, item, context, label);
      const value = item.decode(node, context, label);
      return value === undefined ? undefined : [value];
    },
  };
}

/** A map from free names to values of one type. `name` checks a key and returns what is wrong with it. */
export function mapOf<T>(
  item: Shape<T>,
  name: (key: string) => string | undefined,
  form = `a map (each value ${item.form})`,
): Shape<{ [key: string]: T }> {
  return {
    form,
    spec: { type: 'map', of: item.spec },
    decode(node, context, label) {
      if (node.kind !== 'map') return wrongType(node, context, label, form);
      const map: { [key: string]: T } = {};
      let isGood = true;
      node.keys.forEach((key, index) => {
        const wrong = name(key);
        if (wrong !== undefined) problem(context, 'SUITE_BAD_NAME', wrong, keyPlace(context, node.keyStarts[index] as number, key));
        const value = item.decode(node.values[index] as YamlNode, context, `"${key}"`);
        if (wrong !== undefined || value === undefined) isGood = false;
        else map[key] = value;
      });
      return isGood ? map : undefined;
    },
  };
}

/** Alternatives told apart by the kind of node; the first whose kind fits decodes it. */
export function byKind<A, B = never, C = never>(
  form: string,
  parts: { readonly scalar?: Shape<A>; readonly seq?: Shape<B>; readonly map?: Shape<C> },
): Shape<A | B | C> {
  const shapes = [parts.scalar, parts.seq, parts.map].filter((part) => part !== undefined);
  return {
    form,
    spec: { type: 'union', of: shapes.map((shape) => shape.spec) },
    decode(node, context, label) {
      const shape: Shape<A | B | C> | undefined = parts[node.kind];
      if (!shape || isEmpty(node)) return wrongType(node, context, label, form);
      return shape.decode(node, context, label);
    },
  };
}

/** For shapes that contain themselves. `id` names the definition in the JSON Schema. */
export function lazy<T>(id: string, form: string, get: () => Shape<T>): Shape<T> {
  return {
    form,
    spec: { type: 'ref', id, get: () => get().spec },
    decode: (node, context, label) => get().decode(node, context, label),
  };
}

/** The same shape, with a definition of its own in the JSON Schema: for those that stand in many places. */
export function shared<T>(id: string, shape: Shape<T>): Shape<T> {
  const { spec } = shape;
  return { ...shape, spec: { type: 'ref', id, get: () => spec } };
}

/** One of fixed words. */
export function oneOf<const W extends string>(words: readonly W[]): Shape<W> {
  const form = words.length > 1 ? `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}` : String(words[0]);
  return {
    form,
    spec: { type: 'words', words },
    decode(node, context, label) {
      if (node.kind === 'scalar' && typeof node.value === 'string') {
        const found = words.find((word) => word === node.value);
        if (found !== undefined) return found;
        const near = suggest(node.value, words);
        return wrongType(node, context, label, form, near === undefined ? undefined : `did you mean ${near}?`);
      }
      return wrongType(node, context, label, form);
    },
  };
}
