import type { ValueCondition, ValueMatcher } from '../model/matcher.ts';
import type { Value } from '../model/value.ts';
import { showValue } from './excerpt.ts';

/** Keys of a value matcher, in the order in which they are described. */
export const VALUE_MATCHER_KEYS = ['eq', 'ne', 'lt', 'lte', 'gt', 'gte', 'between', 'in', 'not', 'any', 'all'] as const;

export type ValueMatcherKey = (typeof VALUE_MATCHER_KEYS)[number];

/** What a condition found. `incomparable`: order of things that have none; never true, not even behind `not`. */
export interface ValueOutcome {
  readonly ok: boolean | 'incomparable';
  /** The value with the conversion that decided, e.g. `"12" (text) → 12`. */
  readonly actual: string;
}

/** True when the condition is a map of matcher keys; any other map, list or scalar means equality. */
export function isMatcher(condition: ValueCondition): condition is ValueMatcher {
  if (typeof condition !== 'object' || condition === null || Array.isArray(condition)) return false;
  const keys = Object.keys(condition);
  return keys.length > 0 && keys.every((key) => (VALUE_MATCHER_KEYS as readonly string[]).includes(key));
}

/** Judges a value. Numbers, true and false written as text are converted when the other side is a number or boolean. */
export function checkCondition(actual: Value, condition: ValueCondition): ValueOutcome {
  if (!isMatcher(condition)) return checkKey(actual, 'eq', condition);
  const outcomes = matcherEntries(condition).map(([key, wanted]) => checkKey(actual, key, wanted));
  return all(outcomes, actual);
}

/** The written keys of a matcher. */
export function matcherEntries(matcher: ValueMatcher): readonly (readonly [key: ValueMatcherKey, wanted: unknown])[] {
  return VALUE_MATCHER_KEYS.flatMap((key) => (matcher[key] === undefined ? [] : [[key, matcher[key]] as const]));
}

/** Judges one key of a matcher. */
export function checkKey(actual: Value, key: ValueMatcherKey, wanted: unknown): ValueOutcome {
  switch (key) {
    case 'eq':
      return equal(actual, wanted as Value);
    case 'ne': {
      const { ok, actual: shown } = equal(actual, wanted as Value);
      return { ok: ok !== true, actual: shown };
    }
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte':
      return ordered(actual, key, wanted as Value);
    case 'between': {
      const [low, high] = wanted as readonly [Value, Value];
      return all([ordered(actual, 'gte', low), ordered(actual, 'lte', high)], actual);
    }
    case 'in':
      return any(
        (wanted as readonly Value[]).map((item) => equal(actual, item)),
        actual,
      );
    case 'not': {
      const { ok, actual: shown } = checkCondition(actual, wanted as ValueCondition);
      return { ok: ok === 'incomparable' ? ok : !ok, actual: shown };
    }
    case 'any':
      return any(
        (wanted as readonly ValueCondition[]).map((item) => checkCondition(actual, item)),
        actual,
      );
    case 'all':
      return all(
        (wanted as readonly ValueCondition[]).map((item) => checkCondition(actual, item)),
        actual,
      );
  }
}

function all(outcomes: readonly ValueOutcome[], actual: Value): ValueOutcome {
  return (
    outcomes.find(({ ok }) => ok === false) ??
    outcomes.find(({ ok }) => ok === 'incomparable') ?? { ok: true, actual: outcomes[0]?.actual ?? showValue(actual) }
  );
}

function any(outcomes: readonly ValueOutcome[], actual: Value): ValueOutcome {
  const decided = outcomes.find(({ ok }) => ok === true) ?? outcomes.find(({ ok }) => ok === false) ?? outcomes[0];
  // An empty list allows nothing.
  return decided ?? { ok: false, actual: showValue(actual) };
}

function equal(actual: Value, wanted: Value): ValueOutcome {
  const shown = showValue(actual);
  if (typeof actual === 'string' && (typeof wanted === 'number' || typeof wanted === 'boolean')) {
    const converted = typeof wanted === 'number' ? toNumber(actual) : toBoolean(actual);
    if (converted === undefined) return { ok: false, actual: `${shown} (text)` };
    // A bigint and a number compare exactly with ==.
    return { ok: converted == wanted, actual: `${shown} (text) → ${converted}` };
  }
  if ((typeof actual === 'number' || typeof actual === 'boolean') && typeof wanted === 'string') {
    const converted = typeof actual === 'number' ? toNumber(wanted) : toBoolean(wanted);
    return { ok: converted !== undefined && converted == actual, actual: shown };
  }
  return { ok: same(actual, wanted), actual: shown };
}

function same(left: Value, right: Value): boolean {
  if (left === right) return true;
  if (left === null || right === null || typeof left !== 'object' || typeof right !== 'object') return false;
  if (Array.isArray(left) !== Array.isArray(right)) return false;
  const [a, b] = [left, right] as readonly { readonly [key: string]: Value }[] as [
    { readonly [key: string]: Value },
    { readonly [key: string]: Value },
  ];
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same(a[key] as Value, b[key] as Value));
}

function ordered(actual: Value, key: 'lt' | 'lte' | 'gt' | 'gte', wanted: Value): ValueOutcome {
  const shown = showValue(actual);
  const [a, b] = [toOrdered(actual), toOrdered(wanted)];
  const numbers = a !== undefined && b !== undefined;
  const converted = typeof actual === 'string' && a !== undefined ? `${shown} (text) → ${a}` : shown;
  if (numbers) return { ok: holds(key, a, b), actual: converted };
  // Two texts that are not both numbers have the order of their characters.
  if (typeof actual === 'string' && typeof wanted === 'string') return { ok: holds(key, actual, wanted), actual: shown };
  return { ok: 'incomparable', actual: `${shown} (not a number)` };
}

function holds<T extends number | bigint | string>(key: 'lt' | 'lte' | 'gt' | 'gte', a: T, b: T): boolean {
  switch (key) {
    case 'lt':
      return a < b;
    case 'lte':
      return a <= b;
    case 'gt':
      return a > b;
    case 'gte':
      return a >= b;
  }
}

function toOrdered(value: Value): number | bigint | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'string' ? toNumber(value) : undefined;
}

/** A number written as text. Whole numbers become bigint, so that long ids and counters compare exactly. */
function toNumber(text: string): number | bigint | undefined {
  const trimmed = text.trim();
  if (trimmed.length > 64 || !/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?$/iu.test(trimmed)) return undefined;
  return /^[+-]?\d+$/u.test(trimmed) ? BigInt(trimmed.replace(/^\+/u, '')) : Number(trimmed);
}

function toBoolean(text: string): boolean | undefined {
  const trimmed = text.trim();
  return trimmed === 'true' ? true : trimmed === 'false' ? false : undefined;
}

const SIGNS = { eq: '', ne: '≠ ', lt: '< ', lte: '≤ ', gt: '> ', gte: '≥ ' } as const;

/** What a condition wants, as short text: `5`, `< 5`, `between 1 and 5`, `one of [1,2]`, `not (< 5)`. */
export function describeCondition(condition: ValueCondition): string {
  if (!isMatcher(condition)) return describeKey('eq', condition);
  return matcherEntries(condition)
    .map(([key, wanted]) => describeKey(key, wanted))
    .join(' and ');
}

/** As describeCondition for one key. */
export function describeKey(key: ValueMatcherKey, wanted: unknown): string {
  switch (key) {
    case 'between': {
      const [low, high] = wanted as readonly [Value, Value];
      return `between ${showValue(low, 80)} and ${showValue(high, 80)}`;
    }
    case 'in':
      return `one of ${showValue(wanted as Value, 200)}`;
    case 'not':
      return `not (${describeCondition(wanted as ValueCondition)})`;
    case 'any':
    case 'all':
      return `${key} of (${(wanted as readonly ValueCondition[]).map((item) => describeCondition(item)).join('; ')})`;
    case 'eq':
    case 'ne':
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte':
      return `${SIGNS[key]}${showValue(wanted as Value, 200)}`;
  }
}
