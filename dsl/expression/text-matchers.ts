import type { Check, MatcherBlock, ValueCondition } from '../model/matcher.ts';
import type { Value } from '../model/value.ts';
import { quote, quoteAround } from './excerpt.ts';
import { parseJson, parseJsonPath, valueAt } from './json-path.ts';
import {
  VALUE_MATCHER_KEYS,
  checkCondition,
  checkKey,
  describeCondition,
  describeKey,
  isMatcher,
  matcherEntries,
} from './value-matcher.ts';

/** One stream of a sample. */
export interface StreamText {
  readonly text: string;
  /** The command wrote more than `text`: what cannot be decided from its head is undecidable. */
  readonly cut: boolean;
  /** Absent for stdout. */
  readonly path?: 'stderr';
  /** What value matchers look at instead of the trimmed text: a probe's value. */
  readonly value?: Value;
  /** What `json` looks at instead of the parsed text: rows of a query. */
  readonly json?: Value;
}

/** All conditions of a block that look at one stream, in a fixed order. */
export function checkStream(block: Omit<MatcherBlock, 'exit_code' | 'stderr'>, stream: StreamText): Check[] {
  const where = stream.path === undefined ? {} : { path: stream.path };
  const checks: Check[] = [];
  const add = (matcher: string, expected: string, actual: string, ok: Check['ok']): void => {
    checks.push({ matcher, ...where, expected, actual, ok });
  };
  for (const wanted of block.contains ?? []) add('contains', quote(textOf(wanted), 200), ...contains(stream, textOf(wanted), true));
  for (const wanted of block.not_contains ?? [])
    add('not_contains', quote(textOf(wanted), 200), ...contains(stream, textOf(wanted), false));
  for (const pattern of block.matches ?? []) add('matches', `/${pattern}/`, ...matches(stream, pattern, true));
  for (const pattern of block.not_matches ?? []) add('not_matches', `/${pattern}/`, ...matches(stream, pattern, false));
  if (block.equals !== undefined)
    add('equals', quote(withoutNewlines(block.equals)), quote(withoutNewlines(stream.text)), equals(stream, block.equals));
  if (block.empty !== undefined) add('empty', block.empty ? 'empty' : 'not empty', quote(stream.text), empty(stream, block.empty));
  if (block.lines !== undefined)
    add('lines', describeCondition(block.lines), ...checkLines(countLines(stream.text), stream.cut, block.lines));
  if (block.json !== undefined) checks.push(...checkJson(block.json, stream));
  for (const key of VALUE_MATCHER_KEYS) {
    if (block[key] === undefined) continue;
    const outcome = checkKey(stream.value ?? stream.text.trim(), key, block[key]);
    add(key, describeKey(key, block[key]), outcome.actual, stream.cut && stream.value === undefined ? 'undecidable' : outcome.ok === true);
  }
  return checks;
}

/** Numbers in `contains` are taken as text. */
function textOf(value: Value): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function contains({ text, cut }: StreamText, wanted: string, positive: boolean): [actual: string, ok: Check['ok']] {
  const at = text.indexOf(wanted);
  if (at !== -1) return [positive ? quoteAround(text, at, wanted.length) : quoteAround(text, at, wanted.length, 300), positive];
  return [quote(text), cut ? 'undecidable' : !positive];
}

function matches({ text, cut }: StreamText, pattern: string, positive: boolean): [actual: string, ok: Check['ok']] {
  let regex: RegExp;
  try {
    regex = new RegExp(pattern, 'mu');
  } catch (error) {
    // Found when the suite is checked, unless a mark filled the pattern in.
    return [(error as Error).message, false];
  }
  const found = regex.exec(text);
  // What is behind the cut may undo a hit that touches it, or that looks ahead.
  const certain =
    !cut || (found !== null && found.index + found[0].length < text.length && !pattern.includes('(?=') && !pattern.includes('(?!'));
  if (found !== null) return [quoteAround(text, found.index, found[0].length, 300), certain ? positive : 'undecidable'];
  return [quote(text), certain ? !positive : 'undecidable'];
}

function withoutNewlines(text: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === '\n') end--;
  return text.slice(0, end);
}

function equals({ text, cut }: StreamText, wanted: string): Check['ok'] {
  // A block scalar ends with a line break that nobody means.
  const expected = withoutNewlines(wanted);
  if (!cut) return withoutNewlines(text) === expected;
  // Undecided while the head may still grow into the wanted text, or has only line breaks behind it.
  return expected.startsWith(text) || (text.startsWith(expected) && withoutNewlines(text).length <= expected.length)
    ? 'undecidable'
    : false;
}

function empty({ text, cut }: StreamText, wanted: boolean): Check['ok'] {
  const isEmpty = !/\S/u.test(text);
  return cut && isEmpty ? 'undecidable' : isEmpty === wanted;
}

/** Number of lines; a last line without line break counts. */
export function countLines(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) count++;
  return text === '' || text.endsWith('\n') ? count : count + 1;
}

/** Judges a number of lines; with `cut` there are at least that many. */
export function checkLines(count: number, cut: boolean, condition: ValueCondition): [actual: string, ok: Check['ok']] {
  if (!cut) return [String(count), checkCondition(count, condition).ok === true];
  const entries = isMatcher(condition) ? matcherEntries(condition) : ([['eq', condition]] as const);
  // At least this many: a lower bound that is met stays met, an upper bound that is passed stays passed.
  const outcomes = entries.map(([key, wanted]): Check['ok'] => {
    const ok = checkKey(count, key, wanted).ok === true;
    if ((key === 'gt' || key === 'gte') && ok) return true;
    if ((key === 'lt' || key === 'lte') && !ok) return false;
    if (key === 'eq' && checkKey(count, 'gt', wanted).ok === true) return false;
    return 'undecidable';
  });
  const ok = outcomes.includes(false) ? false : outcomes.includes('undecidable') ? 'undecidable' : true;
  return [`at least ${count}`, ok];
}

function checkJson(conditions: { readonly [path: string]: ValueCondition }, stream: StreamText): Check[] {
  const given = stream.json === undefined ? undefined : { value: stream.json };
  const parsed = given ?? (stream.cut ? undefined : parseJson(stream.text));
  return Object.entries(conditions).map(([path, condition]) => {
    const common = {
      matcher: 'json',
      path: stream.path === undefined ? path : `${stream.path} ${path}`,
      expected: describeCondition(condition),
    };
    if (stream.cut && given === undefined) return { ...common, actual: 'output over the limit', ok: 'undecidable' };
    if (parsed === undefined) return { ...common, actual: `not JSON: ${quote(stream.text, 300)}`, ok: false };
    const keys = parseJsonPath(path);
    const value = keys === undefined ? undefined : valueAt(parsed.value, keys);
    // Nothing is never what was wanted, not even behind ne and not.
    if (value === undefined) return { ...common, actual: 'nothing there', ok: false };
    const outcome = checkCondition(value, condition);
    return { ...common, actual: outcome.actual, ok: outcome.ok === true };
  });
}
