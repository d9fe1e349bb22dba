import type { ValueMap } from '../model/value.ts';
import type { Budget } from './budget.ts';
import { checkBuilt, checkBuiltList, spend } from './budget.ts';
import { CelFault, RawText, compare, equals, isList, isMap, leave, show, typeName } from './cel-value.ts';
import type { CelList, CelMap, CelValue } from './cel-value.ts';
import { parseDuration } from './duration.ts';
import { matchesLinear } from './linear-regex.ts';

/** What functions see besides their arguments. */
export interface FunctionContext {
  readonly budget: Budget;
  readonly values: ValueMap;
  readonly status?:
    | undefined
    | { readonly success: boolean; readonly failure: boolean; readonly always: boolean; readonly cancelled: boolean };
}

interface FunctionDefinition {
  /** Fewest and most arguments; of a method call the receiver is the first. */
  readonly arity: readonly [min: number, max: number];
  /** `both` = `trim(x)` and `x.trim()`; `call` = only `case(c, a, b)`. */
  readonly form: 'both' | 'call';
  readonly apply: (args: readonly CelValue[], context: FunctionContext) => CelValue;
}

function text(value: CelValue | undefined, what: string): string {
  if (typeof value === 'string') return value;
  if (value instanceof RawText) return value.text;
  throw new CelFault('type', `${what} must be text, not ${typeName(value as CelValue)} ${show(value as CelValue)}`);
}

function integer(value: CelValue | undefined, what: string): number {
  if (typeof value === 'bigint') return Number(value);
  throw new CelFault('type', `${what} must be an integer, not ${typeName(value as CelValue)} ${show(value as CelValue)}`);
}

function list(value: CelValue | undefined, what: string): CelList {
  if (value !== undefined && isList(value)) return value;
  throw new CelFault('type', `${what} must be a list, not ${typeName(value as CelValue)} ${show(value as CelValue)}`);
}

/** A function over one text that reads it once. */
function onText(name: string, apply: (value: string) => CelValue): FunctionDefinition {
  return {
    arity: [1, 1],
    form: 'both',
    apply: ([value], { budget }) => {
      const subject = text(value, `${name}()`);
      spend(budget, subject.length);
      return apply(subject);
    },
  };
}

/** A function over two texts that reads the first once. */
function onTexts(name: string, apply: (value: string, other: string) => CelValue): FunctionDefinition {
  return {
    arity: [2, 2],
    form: 'both',
    apply: ([value, other], { budget }) => {
      const subject = text(value, `${name}()`);
      spend(budget, subject.length);
      return apply(subject, text(other, `the argument of ${name}()`));
    },
  };
}

function status(name: 'success' | 'failure' | 'always' | 'cancelled'): FunctionDefinition {
  return {
    arity: [0, 0],
    form: 'call',
    apply: (_args, context) => {
      if (context.status === undefined) throw new CelFault('value', `${name}() has a meaning only in the \`if\` of a step`);
      return context.status[name];
    },
  };
}

function size(value: CelValue | undefined, budget: Budget): bigint {
  if (typeof value === 'string' || value instanceof RawText) {
    const subject = text(value, 'size()');
    spend(budget, subject.length);
    let count = 0;
    // Characters, not UTF-16 units: CEL counts code points.
    for (let index = 0; index < subject.length; index++) {
      const unit = subject.charCodeAt(index);
      const pair = unit >= 0xd800 && unit <= 0xdbff && (subject.charCodeAt(index + 1) & 0xfc00) === 0xdc00;
      if (pair) index++;
      count++;
    }
    return BigInt(count);
  }
  if (value !== undefined && isList(value)) return BigInt(value.length);
  if (value !== undefined && isMap(value)) return BigInt(Object.keys(value).length);
  throw new CelFault('type', `size() of ${typeName(value as CelValue)} ${show(value as CelValue)}`);
}

const INT_LIMIT = 9_223_372_036_854_775_808n;

/** Refuses an int outside 64 bits. */
export function checkInt(value: bigint): bigint {
  if (value >= INT_LIMIT || value < -INT_LIMIT) throw new CelFault('value', `integer overflow: ${value}`);
  return value;
}

function toInt(value: CelValue | undefined): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new CelFault('value', `int(): ${value} is not a whole number`);
    return checkInt(BigInt(Math.trunc(value)));
  }
  const subject = text(value, 'int()').trim();
  if (!/^[+-]?\d{1,20}$/u.test(subject)) {
    throw new CelFault(
      'value',
      `int(): ${show(subject)} is not a whole number`,
      /^[+-]?\d+\.\d+$/u.test(subject) ? 'write int(double(…))' : undefined,
    );
  }
  return checkInt(BigInt(subject.replace(/^\+/u, '')));
}

function toDouble(value: CelValue | undefined): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  const subject = text(value, 'double()').trim();
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,4})?$/iu.test(subject))
    throw new CelFault('value', `double(): ${show(subject)} is not a number`);
  return Number(subject);
}

function toBool(value: CelValue | undefined): boolean {
  if (typeof value === 'boolean') return value;
  const subject = text(value, 'bool()').trim();
  if (subject === 'true' || subject === '1') return true;
  if (subject === 'false' || subject === '0') return false;
  throw new CelFault('value', `bool(): ${show(subject)} is neither true nor false`);
}

/** Text form of a value: texts as they are, numbers and booleans as in JSON, lists and maps as JSON. `null` has none. */
export function toText(value: CelValue, budget?: Budget): string {
  if (typeof value === 'string') return value;
  if (value instanceof RawText) return value.text;
  if (value === null)
    throw new CelFault('value', 'the value is null, which has no text', 'compare it with null first, or use case(x == null, "", x)');
  if (typeof value === 'bigint') return value.toString();
  const json = JSON.stringify(leave(value));
  if (budget !== undefined) checkBuilt(budget, json.length);
  return json;
}

function split(args: readonly CelValue[], { budget }: FunctionContext): CelValue {
  const subject = text(args[0], 'split()');
  const separator = text(args[1], 'the separator of split()');
  spend(budget, subject.length);
  const limit = args.length > 2 ? integer(args[2], 'the limit of split()') : -1;
  if (limit === 0) return [];
  // Counted before they are made: a list of many pieces costs far more than the text.
  checkBuiltList(budget, separator === '' ? subject.length : occurrences(subject, separator));
  const parts = subject.split(separator);
  return limit < 0 || parts.length <= limit ? parts : [...parts.slice(0, limit - 1), parts.slice(limit - 1).join(separator)];
}

function occurrences(subject: string, needle: string): number {
  let count = 0;
  for (let at = subject.indexOf(needle); at !== -1; at = subject.indexOf(needle, at + needle.length)) count++;
  return count;
}

function replace(args: readonly CelValue[], { budget }: FunctionContext): CelValue {
  const subject = text(args[0], 'replace()');
  const from = text(args[1], 'the searched text of replace()');
  const to = text(args[2], 'the replacement of replace()');
  if (from === '') throw new CelFault('value', 'replace(): the searched text is empty');
  spend(budget, subject.length);
  const count = occurrences(subject, from);
  spend(budget, count * 16);
  if (to.length > from.length) checkBuilt(budget, subject.length + count * (to.length - from.length));
  return subject.split(from).join(to);
}

function join(args: readonly CelValue[], { budget }: FunctionContext): CelValue {
  const items = list(args[0], 'join()');
  const separator = args.length > 1 ? text(args[1], 'the separator of join()') : '';
  spend(budget, items.length * 16);
  let length = 0;
  const parts = items.map((item) => {
    const part = toText(item, budget);
    length += part.length + separator.length;
    if (length > 0xff_ffff) checkBuilt(budget, length);
    return part;
  });
  checkBuilt(budget, length);
  return parts.join(separator);
}

function substring(args: readonly CelValue[], { budget }: FunctionContext): CelValue {
  const subject = text(args[0], 'substring()');
  const start = integer(args[1], 'the start of substring()');
  const end = args.length > 2 ? integer(args[2], 'the end of substring()') : subject.length;
  if (start < 0 || end > subject.length || start > end)
    throw new CelFault('value', `substring(): ${start} to ${end} is outside a text of ${subject.length}`);
  spend(budget, end - start);
  return subject.slice(start, end);
}

function fromJson(args: readonly CelValue[], { budget }: FunctionContext): CelValue {
  const subject = text(args[0], 'fromJSON()');
  spend(budget, subject.length * 8);
  try {
    return JSON.parse(subject) as CelValue;
  } catch {
    throw new CelFault('value', `fromJSON(): ${show(subject)} is not JSON`);
  }
}

function findNode(args: readonly CelValue[], { values }: FunctionContext): CelValue {
  const name = text(args[0], 'node()');
  const nodes = (values['nodes'] ?? null) as CelValue;
  if (isList(nodes)) {
    const found = nodes.find((item) => isMap(item) && item['name'] === name);
    if (found !== undefined) return found;
    const names = nodes.flatMap((item) => (isMap(item) && typeof item['name'] === 'string' ? [item['name']] : []));
    throw new CelFault('no_such_key', `there is no node "${name}"`, `nodes: ${names.slice(0, 20).join(', ')}`);
  }
  if (isMap(nodes) && Object.hasOwn(nodes, name)) return nodes[name] as CelValue;
  throw new CelFault('no_such_key', `there is no node "${name}"`);
}

function timestamp(value: CelValue | undefined): CelValue {
  if (typeof value === 'bigint' || typeof value === 'number') return value;
  const subject = text(value, 'timestamp()');
  const ms = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/u.test(subject)
    ? Date.parse(subject.replace(' ', 'T'))
    : Number.NaN;
  if (Number.isNaN(ms)) throw new CelFault('value', `timestamp(): ${show(subject)} is not a time such as 2024-01-31T12:00:00Z`);
  return ms % 1_000 === 0 ? BigInt(ms / 1_000) : ms / 1_000;
}

function duration(value: CelValue | undefined): CelValue {
  const ms =
    typeof value === 'bigint' ? parseDuration(Number(value)) : parseDuration(typeof value === 'number' ? value : text(value, 'duration()'));
  if (ms === undefined) throw new CelFault('value', `duration(): ${show(value as CelValue)} is not a duration such as 1m30s`);
  return ms % 1_000 === 0 ? BigInt(ms / 1_000) : ms / 1_000;
}

function extreme(name: string, sign: 1 | -1): FunctionDefinition {
  return {
    arity: [1, 32],
    form: 'call',
    apply: (args, { budget }) => {
      const items = args.length === 1 ? list(args[0], `${name}()`) : args;
      if (items.length === 0) throw new CelFault('value', `${name}() of an empty list`);
      spend(budget, items.length * 16);
      return items.reduce((best, item) => (compare(item, best) * sign > 0 ? item : best));
    },
  };
}

const TABLE: { readonly [name: string]: FunctionDefinition } = {
  size: { arity: [1, 1], form: 'both', apply: ([value], { budget }) => size(value, budget) },
  int: { arity: [1, 1], form: 'call', apply: ([value]) => toInt(value) },
  double: { arity: [1, 1], form: 'call', apply: ([value]) => toDouble(value) },
  string: { arity: [1, 1], form: 'call', apply: ([value], { budget }) => toText(value as CelValue, budget) },
  bool: { arity: [1, 1], form: 'call', apply: ([value]) => toBool(value) },
  type: { arity: [1, 1], form: 'call', apply: ([value]) => typeName(value as CelValue) },
  dyn: { arity: [1, 1], form: 'call', apply: ([value]) => value as CelValue },
  duration: { arity: [1, 1], form: 'call', apply: ([value]) => duration(value) },
  timestamp: { arity: [1, 1], form: 'call', apply: ([value]) => timestamp(value) },
  max: extreme('max', 1),
  min: extreme('min', -1),
  toJSON: {
    arity: [1, 1],
    form: 'both',
    apply: ([value], { budget }) => {
      const json = JSON.stringify(leave(value as CelValue));
      checkBuilt(budget, json.length);
      return json;
    },
  },
  fromJSON: { arity: [1, 1], form: 'both', apply: fromJson },
  node: { arity: [1, 1], form: 'call', apply: findNode },
  raw: { arity: [1, 1], form: 'call', apply: ([value], { budget }) => new RawText(toText(value as CelValue, budget)) },
  success: status('success'),
  failure: status('failure'),
  always: status('always'),
  cancelled: status('cancelled'),
  trim: onText('trim', (value) => value.trim()),
  lower: onText('lower', (value) => value.toLowerCase()),
  upper: onText('upper', (value) => value.toUpperCase()),
  lowerAscii: onText('lowerAscii', (value) => value.replaceAll(/[A-Z]/gu, (letter) => letter.toLowerCase())),
  upperAscii: onText('upperAscii', (value) => value.replaceAll(/[a-z]/gu, (letter) => letter.toUpperCase())),
  contains: onTexts('contains', (value, other) => value.includes(other)),
  startsWith: onTexts('startsWith', (value, other) => value.startsWith(other)),
  endsWith: onTexts('endsWith', (value, other) => value.endsWith(other)),
  indexOf: onTexts('indexOf', (value, other) => BigInt(value.indexOf(other))),
  lastIndexOf: onTexts('lastIndexOf', (value, other) => BigInt(value.lastIndexOf(other))),
  matches: {
    arity: [2, 2],
    form: 'both',
    apply: ([value, pattern], { budget }) => {
      const subject = text(value, 'matches()');
      const expression = text(pattern, 'the pattern of matches()');
      // The linear engine is some hundred times slower than a plain search, and slower for longer patterns.
      spend(budget, (subject.length + 64) * (64 + expression.length));
      return matchesLinear(subject, expression);
    },
  },
  split: { arity: [2, 3], form: 'both', apply: split },
  replace: { arity: [3, 3], form: 'both', apply: replace },
  join: { arity: [1, 2], form: 'both', apply: join },
  substring: { arity: [2, 3], form: 'both', apply: substring },
};

/** Names of all functions, `has` and `case` (which evaluate their arguments by need) included. */
export const FUNCTION_NAMES: readonly string[] = [...Object.keys(TABLE), 'has', 'case'].sort();

/** The function of that name, `undefined` when there is none. */
export function findFunction(name: string): FunctionDefinition | undefined {
  return Object.hasOwn(TABLE, name) ? TABLE[name] : undefined;
}

/** `x in y`: element of a list, key of a map. A number looked up among texts only is an error, as with `==`. */
export function isIn(needle: CelValue, haystack: CelValue, budget: Budget): boolean {
  if (isList(haystack)) {
    spend(budget, haystack.length * 16);
    if (haystack.some((item) => equals(needle, item, false))) return true;
    const other = haystack[0];
    if (
      other !== undefined &&
      typeof needle !== 'object' &&
      haystack.every((item) => typeof item === 'string') &&
      typeof needle !== 'string'
    )
      equals(needle, other);
    if (other !== undefined && typeof needle === 'string' && haystack.every((item) => typeof item === 'number' || typeof item === 'bigint'))
      equals(needle, other);
    return false;
  }
  if (isMap(haystack)) return Object.hasOwn(haystack, text(needle, 'a key'));
  if (typeof haystack === 'string')
    throw new CelFault('type', '`in` looks into a list or a map, not into text', 'write text.contains("…")');
  throw new CelFault('type', `\`in\` looks into a list or a map, not into ${typeName(haystack)} ${show(haystack)}`);
}

/** A map's keys as a hint, the nearest first. */
export function keysOf(map: CelMap): string {
  const keys = Object.keys(map);
  return keys.length === 0 ? 'it is empty' : `known: ${keys.slice(0, 20).join(', ')}${keys.length > 20 ? ', …' : ''}`;
}
