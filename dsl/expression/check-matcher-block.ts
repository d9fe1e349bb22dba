import type { MatcherBlock, ValueCondition } from '../model/matcher.ts';
import { checkExpression } from './cel.ts';
import { parseJsonPath } from './json-path.ts';
import { checkTemplate, hasMarks } from './marks.ts';
import { VALUE_MATCHER_KEYS, isMatcher, matcherEntries } from './value-matcher.ts';

/** A mistake in a block. `path` leads to the value: keys and indices. */
export interface MatcherProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
  /** Place inside the text at `path`, in UTF-16 units, when there is one. */
  readonly offset?: number;
  readonly length?: number;
  readonly hint?: string;
}

const RESULT = ['stdout', 'stderr', 'exit_code', 'duration', 'json', 'rows', 'status', 'headers', 'sqlstate', 'value'];

/**
 * Mistakes that can be seen before anything runs: regular expressions and JSON paths that cannot be read, ranges turned round,
 * and (when `names` are given: the names in scope) expressions. Texts with marks are checked once they are filled in.
 */
export function checkMatcherBlock(block: MatcherBlock, names?: ReadonlySet<string>): MatcherProblem[] {
  const problems: MatcherProblem[] = [];
  checkPart(block, [], problems);
  if (block.stderr !== undefined) checkPart(block.stderr, ['stderr'], problems);
  if (names !== undefined) {
    const known = new Set([...names, ...RESULT]);
    (block.expr ?? []).forEach((expression, index) => {
      const problem = checkExpression(expression, known);
      if (problem === undefined) return;
      const { message, offset, length, hint } = problem;
      problems.push({ path: ['expr', index], message, offset, length, ...(hint === undefined ? {} : { hint }) });
    });
    checkMarks(block, [], names, problems);
  }
  return problems;
}

function checkPart(
  block: Omit<MatcherBlock, 'exit_code' | 'stderr'> & Partial<MatcherBlock>,
  at: readonly string[],
  problems: MatcherProblem[],
): void {
  for (const key of ['matches', 'not_matches'] as const) {
    (block[key] ?? []).forEach((pattern, index) => {
      if (hasMarks(pattern)) return;
      try {
        // The constructor is what reads the pattern.
        RegExp(pattern, 'mu');
      } catch (error) {
        problems.push({
          path: [...at, key, index],
          message: `bad regular expression: ${(error as Error).message.replace(/^Invalid regular expression: /u, '')}`,
        });
      }
    });
  }
  for (const path of Object.keys(block.json ?? {})) {
    if (parseJsonPath(path) === undefined)
      problems.push({ path: [...at, 'json', path], message: `"${path}" is not a path`, hint: 'write a.b[0].c' });
  }
  const conditions: [string[], ValueCondition | undefined][] = [
    [['exit_code'], block.exit_code],
    [['lines'], block.lines],
    [['status'], block.status],
    [['duration'], block.duration],
    [['rows', 'count'], block.rows?.count],
    ...Object.entries(block.json ?? {}).map(([path, condition]): [string[], ValueCondition] => [['json', path], condition]),
    ...Object.entries(block.rows?.each ?? {}).map(([column, condition]): [string[], ValueCondition] => [
      ['rows', 'each', column],
      condition,
    ]),
    ...Object.entries(block.rows?.any ?? {}).map(([column, condition]): [string[], ValueCondition] => [['rows', 'any', column], condition]),
    ...matcherEntries(block).map(([key, wanted]): [string[], ValueCondition] => [[], { [key]: wanted }]),
  ];
  for (const key of ['not', 'any', 'all'] as const) {
    for (const item of key === 'not' ? [block.not] : (block[key] ?? [])) {
      const strange = item === undefined ? undefined : blockKeyIn(item);
      if (strange === undefined) continue;
      problems.push({
        path: [...at, key],
        message: `${key} takes conditions on a value, and ${strange} is none`,
        hint: OPPOSITES[strange] ?? `the keys of a condition are ${VALUE_MATCHER_KEYS.join(', ')}`,
      });
    }
  }
  for (const [path, condition] of conditions) if (condition !== undefined) checkCondition(condition, [...at, ...path], problems);
}

/** Keys of a block that no value matcher has: as plain maps they would be compared with a text, and never be equal to it. */
const BLOCK_KEYS = [
  'exit_code',
  'contains',
  'not_contains',
  'matches',
  'not_matches',
  'equals',
  'empty',
  'lines',
  'json',
  'rows',
  'status',
  'stderr',
  'duration',
  'all_equal',
  'expr',
];
const OPPOSITES: { readonly [key: string]: string } = {
  expr: 'write expr: "!(…)"',
  contains: 'write not_contains',
  matches: 'write not_matches',
  not_contains: 'write contains',
  not_matches: 'write matches',
  empty: 'write empty: true or empty: false',
};

function blockKeyIn(condition: ValueCondition): string | undefined {
  if (typeof condition !== 'object' || condition === null || Array.isArray(condition)) return undefined;
  return Object.keys(condition).find((key) => BLOCK_KEYS.includes(key));
}

function checkCondition(condition: ValueCondition, at: readonly (string | number)[], problems: MatcherProblem[]): void {
  if (!isMatcher(condition)) return;
  for (const [key, wanted] of matcherEntries(condition)) {
    if (key === 'between') {
      const [low, high] = wanted as readonly unknown[];
      if (!Array.isArray(wanted) || wanted.length !== 2)
        problems.push({ path: [...at, key], message: 'between takes two values', hint: 'write between: [1, 5]' });
      else if (typeof low === 'number' && typeof high === 'number' && low > high)
        problems.push({ path: [...at, key], message: `between: ${low} is more than ${high}` });
    } else if (key === 'in' && Array.isArray(wanted) && wanted.length === 0) {
      problems.push({ path: [...at, key], message: 'in: an empty list allows nothing' });
    } else if (key === 'not') checkCondition(wanted as ValueCondition, [...at, key], problems);
    else if (key === 'any' || key === 'all')
      (wanted as readonly ValueCondition[]).forEach((item, index) => checkCondition(item, [...at, key, index], problems));
    else if (key !== 'in' && key !== 'eq' && key !== 'ne' && (typeof wanted === 'boolean' || wanted === null)) {
      problems.push({ path: [...at, key], message: `${key} needs a number or a text, not ${String(wanted)}` });
    }
  }
}

/** Every mark in every text of the block, `expr` excepted. */
function checkMarks(value: unknown, at: readonly (string | number)[], names: ReadonlySet<string>, problems: MatcherProblem[]): void {
  if (typeof value === 'string') {
    const problem = checkTemplate(value, (expression) => checkExpression(expression, names));
    if (problem === undefined) return;
    const { message, offset, length, hint } = problem;
    problems.push({ path: at, message, offset, length, ...(hint === undefined ? {} : { hint }) });
  } else if (Array.isArray(value)) value.forEach((item, index) => checkMarks(item, [...at, index], names, problems));
  else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) if (key !== 'expr') checkMarks(item, [...at, key], names, problems);
  }
}
