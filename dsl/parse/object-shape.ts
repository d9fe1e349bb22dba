import type { Value } from '../model/value.ts';
import type { Context } from './context.ts';
import type { Shape } from './shape.ts';
import type { FieldSpec, ObjectSpec } from './spec.ts';
import type { MapNode, YamlNode } from './yaml-node.ts';
import { isFull, keyPlace, problem } from './context.ts';
import { keyHint } from './key-hint.ts';
import { placeOf, toValue, wrongType } from './shape.ts';

/** A key of a map with fixed keys. */
export interface Field<T, R extends boolean = boolean, N extends string = string, G extends string = string> {
  readonly shape: Shape<T>;
  readonly doc: string;
  readonly required: R;
  /** Name in the model, where it differs. */
  readonly to?: N;
  /** Gathered in a map of this name: `match` for the conditions of a matcher block, `options` for keys of a run type. */
  readonly group?: G;
}

export function field<T>(shape: Shape<T>, doc: string): Field<T, false, never, never> {
  return { shape, doc, required: false };
}

export function fieldTo<T, const N extends string>(to: N, shape: Shape<T>, doc: string): Field<T, false, N, never> {
  return { shape, doc, required: false, to };
}

export function required<T>(shape: Shape<T>, doc: string): Field<T, true, never, never> {
  return { shape, doc, required: true };
}

export function requiredTo<T, const N extends string>(to: N, shape: Shape<T>, doc: string): Field<T, true, N, never> {
  return { shape, doc, required: true, to };
}

export function option<T>(shape: Shape<T>, doc: string): Field<T, false, never, 'options'> {
  return { shape, doc, required: false, group: 'options' };
}

// eslint-disable-next-line typescript/no-explicit-any -- the types of the fields are read back one by one below
export type Fields = { readonly [key: string]: Field<any> };

type ModelName<K, F> = F extends { readonly to?: infer N } ? ([Extract<N, string>] extends [never] ? K : Extract<N, string>) : K;
type InGroup<F> = F extends { readonly group?: infer G } ? ([Extract<G, string>] extends [never] ? false : true) : false;
type FieldValue<F> = F extends { readonly shape: Shape<infer T> } ? T : never;

/** What decoding gives: keys by their names in the model, absent when not written. */
export type Decoded<F> = {
  [K in keyof F as InGroup<F[K]> extends true ? never : F[K] extends { readonly required: true } ? ModelName<K, F[K]> : never]: FieldValue<
    F[K]
  >;
} & {
  [K in keyof F as InGroup<F[K]> extends true ? never : F[K] extends { readonly required: true } ? never : ModelName<K, F[K]>]?: FieldValue<
    F[K]
  >;
} & { options?: { [key: string]: Value } };

export interface ObjectOptions<F, T> {
  /** For messages: "a command". */
  readonly what: string;
  readonly fields: F;
  /** Keys that are gathered as they are written; `undefined` = unknown keys are errors. */
  readonly open?: 'options';
  /** Last step: defaults, and checks over several keys. `undefined` = a problem was reported. */
  build(decoded: Decoded<F>, node: MapNode, context: Context): T | undefined;
}

export interface ObjectShape<T> extends Shape<T> {
  readonly keys: readonly string[];
}

/** A map with fixed keys. */
export function object<F extends Fields, T>(options: ObjectOptions<F, T>): ObjectShape<T> {
  const { what, fields, open } = options;
  const table = new Map<string, Field<unknown>>(Object.entries(fields));
  const keys = [...table.keys()];
  const needed = keys.filter((key) => table.get(key)?.required);
  const form = `a map that describes ${what}`;
  return {
    form,
    keys,
    spec: objectSpec(fields, open !== undefined),
    decode(node, context, label) {
      if (node.kind !== 'map') return wrongType(node, context, label, form);
      const decoded: { [key: string]: unknown } = {};
      let isGood = true;
      for (let index = 0; index < node.keys.length; index++) {
        const key = node.keys[index] as string;
        const value = node.values[index] as YamlNode;
        const known = table.get(key);
        if (!known) {
          if (open !== undefined) put(decoded, open, key, toValue(value));
          else isGood = unknownKey(context, node, index, what, keys);
          continue;
        }
        const result = known.shape.decode(value, context, `"${key}"`);
        if (result === undefined) isGood = false;
        else if (known.group !== undefined) put(decoded, known.group, known.to ?? key, result);
        else decoded[known.to ?? key] = result;
      }
      for (const key of needed) {
        if (node.keys.includes(key)) continue;
        problem(context, 'SUITE_MISSING_KEY', `${what} needs "${key}"`, placeOf(node), table.get(key)?.doc);
        isGood = false;
      }
      return isGood ? options.build(decoded as Decoded<F>, node, context) : undefined;
    },
  };
}

function put(decoded: { [key: string]: unknown }, group: string, key: string, value: unknown): void {
  const map = (decoded[group] ??= {}) as { [key: string]: unknown };
  map[key] = value;
}

function unknownKey(context: Context, node: MapNode, index: number, what: string, keys: readonly string[]): false {
  if (isFull(context)) return false;
  const key = node.keys[index] as string;
  const place = keyPlace(context, node.keyStarts[index] as number, key);
  const shown = JSON.stringify(key.length > 60 ? `${key.slice(0, 57)}…` : key);
  problem(context, 'SUITE_UNKNOWN_KEY', `unknown key ${shown} in ${what}`, place, keyHint(key, keys, what));
  return false;
}

function objectSpec(fields: Fields, open: boolean): ObjectSpec {
  const specs: { [key: string]: FieldSpec } = {};
  for (const [key, { shape, doc, required: isRequired }] of Object.entries(fields))
    specs[key] = { spec: shape.spec, doc, required: isRequired };
  return open ? { type: 'object', fields: specs, open } : { type: 'object', fields: specs };
}

/** Reports a key of a map that may not stand there. */
export function misplacedKey(context: Context, node: MapNode, key: string, message: string, hint?: string): undefined {
  const index = node.keys.indexOf(key);
  const place = index < 0 ? placeOf(node) : keyPlace(context, node.keyStarts[index] as number, key);
  problem(context, 'SUITE_MISPLACED_KEY', message, place, hint);
  return undefined;
}
