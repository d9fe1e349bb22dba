import type { Value } from '../model/value.ts';

/**
 * Values while an expression is evaluated. `bigint` is CEL's int, `number` its double. Lists and maps may still hold plain JSON numbers:
 * a scope is never converted as a whole, `enter` is applied to what is taken out of it.
 */
export type CelValue = null | boolean | number | bigint | string | RawText | CelList | CelMap;
export type CelList = readonly CelValue[];
export type CelMap = { readonly [key: string]: CelValue };

/** Result of `raw(x)`: shell text takes it as it is. Everywhere else it is the text. */
export class RawText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Thrown inside the evaluator; gets its place when it leaves it. */
export class CelFault extends Error {
  readonly code: 'type' | 'value' | 'result' | 'limit' | 'no_such_key';
  readonly hint: string | undefined;

  constructor(code: CelFault['code'], message: string, hint?: string) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

/** A number that came from JSON becomes an int when it is a whole number that a double holds exactly. */
export function enter(value: CelValue): CelValue {
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
}

const MAX_DEPTH = 100;

/** Turns a result into JSON. Integers beyond ±(2^53 − 1), NaN and infinities are errors: JSON would silently change them. */
export function leave(value: CelValue, depth = 0): Value {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'bigint') {
    const number = Number(value);
    if (!Number.isSafeInteger(number))
      throw new CelFault('result', `the integer ${value} is larger than JSON can hold exactly`, 'make it text with string(…)');
    return number;
  }
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new CelFault('result', `the result is ${value}, not a number`);
    return value === 0 ? 0 : value;
  }
  if (value instanceof RawText) return value.text;
  if (depth >= MAX_DEPTH) throw new CelFault('limit', `the result is nested deeper than ${MAX_DEPTH}`);
  if (isList(value)) return value.map((item) => leave(item, depth + 1));
  // fromEntries defines own properties, so that a key `__proto__` stays a key.
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, leave(item, depth + 1)]));
}

/** Text of a JSON value where text is needed: texts as they are, the rest as JSON; `undefined` for null, which has no text. */
export function toPlainText(value: Value | RawText): string | undefined {
  if (typeof value === 'string') return value;
  if (value instanceof RawText) return value.text;
  return value === null ? undefined : JSON.stringify(value);
}

/** Array.isArray does not narrow readonly arrays. */
export function isList(value: CelValue): value is CelList {
  return Array.isArray(value);
}

/** True for a map. */
export function isMap(value: CelValue): value is CelMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof RawText);
}

/** Name of the type in messages and for `type(x)`. */
export function typeName(value: CelValue): string {
  if (value === null) return 'null';
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'number') return 'double';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string' || value instanceof RawText) return 'string';
  return isList(value) ? 'list' : 'map';
}

/** Short text of a value for messages, at most 60 characters. */
export function show(value: CelValue): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'bigint' || typeof value === 'number') return String(value);
  if (typeof value === 'string') return JSON.stringify(value.length > 57 ? `${value.slice(0, 56)}…` : value);
  if (value instanceof RawText) return show(value.text);
  return isList(value) ? `a list of ${value.length}` : `a map of ${Object.keys(value).length}`;
}

function isNumeric(value: CelValue): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

/**
 * `==`. Numbers compare by value whatever their kind, null equals only null. A number against a text is an error at the top level,
 * because `params.version == "16"` being quietly false is how a check lies; inside lists and maps it is just not equal.
 */
export function equals(left: CelValue, right: CelValue, strict = true, depth = 0): boolean {
  if (left instanceof RawText) return equals(left.text, right, strict, depth);
  if (right instanceof RawText) return equals(left, right.text, strict, depth);
  // == between a bigint and a number is exact; eslint-style === would call 1n and 1 different.
  if (isNumeric(left) && isNumeric(right)) return left == right;
  if (left === null || right === null) return left === right;
  if (typeof left !== 'object' && typeof right !== 'object' && typeof left === typeof right) return left === right;
  if (depth >= MAX_DEPTH) throw new CelFault('limit', `the values compared are nested deeper than ${MAX_DEPTH}`);
  if (isList(left) && isList(right)) {
    return left.length === right.length && left.every((item, index) => equals(item, right[index] as CelValue, false, depth + 1));
  }
  if (isMap(left) && isMap(right)) {
    const keys = Object.keys(left);
    return (
      keys.length === Object.keys(right).length &&
      keys.every((key) => Object.hasOwn(right, key) && equals(left[key] as CelValue, right[key] as CelValue, false, depth + 1))
    );
  }
  if (strict) {
    const hint =
      isNumeric(left) !== isNumeric(right) && (typeof left === 'string' || typeof right === 'string')
        ? 'convert one side with string(…), int(…) or double(…)'
        : undefined;
    throw new CelFault('type', `cannot compare ${typeName(left)} ${show(left)} with ${typeName(right)} ${show(right)}`, hint);
  }
  return false;
}

/** Less than zero, zero or more: order of two numbers, two texts or two booleans. */
export function compare(left: CelValue, right: CelValue): number {
  const a = left instanceof RawText ? left.text : left;
  const b = right instanceof RawText ? right.text : right;
  const comparable = (isNumeric(a) && isNumeric(b)) || (typeof a === typeof b && (typeof a === 'string' || typeof a === 'boolean'));
  if (!comparable) {
    const hint =
      (typeof a === 'string' && isNumeric(b)) || (isNumeric(a) && typeof b === 'string')
        ? 'convert text with int(…) or double(…)'
        : undefined;
    throw new CelFault('type', `cannot order ${typeName(a)} ${show(a)} and ${typeName(b)} ${show(b)}`, hint);
  }
  const [x, y] = [a, b] as readonly [number, number];
  if (x < y) return -1;
  return x > y ? 1 : 0;
}
