import type { Check, MatcherBlock, ValueCondition } from '../model/matcher.ts';
import type { Value, ValueMap } from '../model/value.ts';
import { evaluateCondition, namesIn } from './cel.ts';
import type { Scope } from './cel.ts';
import { showValue } from './excerpt.ts';
import { ExpressionError } from './expression-error.ts';
import { parseJson } from './json-path.ts';
import { checkStream } from './text-matchers.ts';
import { checkCondition, describeCondition } from './value-matcher.ts';

export { failureReason } from './match-reason.ts';
export { checkMatcherBlock } from './check-matcher-block.ts';
export type { MatcherProblem } from './check-matcher-block.ts';

/** What a command (or a probe) did, as matchers see it. */
export interface Sample {
  /** `null` when it did not end by itself. */
  readonly exitCode: number | null;
  /** Whole texts, unless cut. */
  readonly stdout: string;
  readonly stderr: string;
  readonly durationSeconds: number;
  /** The command wrote more than the text: conditions that the head does not decide are undecidable. */
  readonly stdoutCut?: boolean;
  readonly stderrCut?: boolean;
  /** Rows of a `sql` or `prometheus` result. */
  readonly rows?: readonly ValueMap[];
  /** Status and headers (names in lower case) of an `http` answer; null and empty when there was none. Absent for other run types. */
  readonly status?: number | null;
  readonly headers?: ValueMap;
  /** Code of the error of a `sql` statement, null when there was none. Absent for other run types. */
  readonly sqlstate?: string | null;
  /** What `json` is when it is not stdout parsed. */
  readonly json?: Value;
  /** A probe's value: what value matchers directly in the block look at; absent = the trimmed stdout. */
  readonly value?: Value;
}

export interface MatchOptions {
  /** Whether exit code 0 is wanted when the block says nothing; default true. False for `never` and asserts over probes. */
  readonly implicitExitCode?: boolean;
}

/**
 * Judges a sample by a rendered block: one check per written condition (each text of `contains`, each path of `json`), the exit code first.
 * `all_equal` compares nodes and is not judged here. Never throws for what the sample holds; `expr` sees the scope and
 * `stdout stderr exit_code duration json rows value`.
 */
export function checkMatchers(block: MatcherBlock, sample: Sample, scope?: Scope, options: MatchOptions = {}): Check[] {
  const checks: Check[] = [];
  const wanted = block.exit_code ?? (options.implicitExitCode === false ? 'any' : 0);
  if (wanted !== 'any') checks.push(checkExitCode(wanted, sample));
  checks.push(
    ...checkStream(block, {
      text: sample.stdout,
      cut: sample.stdoutCut === true,
      ...(sample.value === undefined ? {} : { value: sample.value }),
      ...(sample.json === undefined ? {} : { json: sample.json }),
    }),
  );
  if (block.status !== undefined) checks.push(checkStatus(block.status, sample.status));
  if (block.rows !== undefined) checks.push(...checkRows(block.rows, sample.rows));
  if (block.stderr !== undefined) {
    checks.push(...checkStream(block.stderr, { text: sample.stderr, cut: sample.stderrCut === true, path: 'stderr' }));
    for (const expression of block.stderr.expr ?? []) checks.push(checkExpr(expression, sample, scope));
  }
  if (block.duration !== undefined) {
    const { ok } = checkCondition(sample.durationSeconds, block.duration);
    checks.push({
      matcher: 'duration',
      expected: `${describeCondition(block.duration)} s`,
      actual: `${round(sample.durationSeconds)} s`,
      ok: ok === true,
    });
  }
  for (const expression of block.expr ?? []) checks.push(checkExpr(expression, sample, scope));
  return checks;
}

function checkExitCode(wanted: ValueCondition, sample: Sample): Check {
  const expected = describeCondition(wanted);
  if (sample.exitCode === null) return { matcher: 'exit_code', expected, actual: 'none', ok: false };
  const { ok } = checkCondition(sample.exitCode, wanted);
  return { matcher: 'exit_code', expected, actual: String(sample.exitCode), ok: ok === true };
}

function checkStatus(wanted: ValueCondition, status: Sample['status']): Check {
  const common = { matcher: 'status', expected: describeCondition(wanted) };
  if (status === undefined) return { ...common, actual: 'no status: only an http result has one', ok: false };
  // No answer has no status: nothing is never what was wanted, not even behind ne and not.
  if (status === null) return { ...common, actual: 'no answer', ok: false };
  return { ...common, actual: String(status), ok: checkCondition(status, wanted).ok === true };
}

function checkRows(block: NonNullable<MatcherBlock['rows']>, rows: Sample['rows']): Check[] {
  const checks: Check[] = [];
  const add = (path: string, expected: string, actual: string, ok: boolean): void => {
    checks.push({ matcher: 'rows', path, expected, actual, ok });
  };
  const missing = 'no rows: only a sql or prometheus result has rows';
  if (block.count !== undefined) {
    const expected = describeCondition(block.count);
    if (rows === undefined) add('count', expected, missing, false);
    else add('count', expected, String(rows.length), checkCondition(rows.length, block.count).ok === true);
  }
  for (const [column, condition] of Object.entries(block.each ?? {})) {
    const expected = describeCondition(condition);
    const bad = rows?.findIndex((row) => !rowHolds(row, column, condition)) ?? -1;
    if (rows === undefined) add(`each.${column}`, expected, missing, false);
    else if (bad === -1) add(`each.${column}`, expected, `all ${rows.length} rows`, true);
    else add(`each.${column}`, expected, `row ${bad + 1}: ${showRow(rows[bad] as ValueMap, column)}`, false);
  }
  if (block.any !== undefined) {
    const conditions = Object.entries(block.any);
    const expected = conditions.map(([column, condition]) => `${column} ${describeCondition(condition)}`).join(', ');
    const found = rows?.findIndex((row) => conditions.every(([column, condition]) => rowHolds(row, column, condition))) ?? -1;
    if (rows === undefined) add('any', expected, missing, false);
    else add('any', expected, found === -1 ? `none of ${rows.length} rows` : `row ${found + 1}`, found !== -1);
  }
  return checks;
}

function rowHolds(row: ValueMap, column: string, condition: ValueCondition): boolean {
  return Object.hasOwn(row, column) && checkCondition(row[column] as Value, condition).ok === true;
}

function showRow(row: ValueMap, column: string): string {
  return Object.hasOwn(row, column) ? showValue(row[column] as Value, 200) : `no column "${column}"`;
}

/** Names that `expr` and `outputs` see besides the context. */
export const RESULT_NAMES = [
  'stdout',
  'stderr',
  'exit_code',
  'duration',
  'json',
  'rows',
  'status',
  'headers',
  'sqlstate',
  'value',
] as const;

/**
 * The names of a result that an expression uses, as values. `json` is parsed only when it is used.
 * Throws an ExpressionError when `json` is used and stdout is not JSON.
 */
export function resultValues(expression: string, sample: Sample): ValueMap {
  const values: { [name: string]: Value } = {
    stdout: sample.stdout,
    stderr: sample.stderr,
    exit_code: sample.exitCode,
    duration: sample.durationSeconds,
  };
  if (sample.rows !== undefined) values['rows'] = sample.rows;
  if (sample.status !== undefined) values['status'] = sample.status;
  if (sample.headers !== undefined) values['headers'] = sample.headers;
  if (sample.sqlstate !== undefined) values['sqlstate'] = sample.sqlstate;
  if (sample.value !== undefined) values['value'] = sample.value;
  if (sample.json !== undefined) values['json'] = sample.json;
  else if (namesIn(expression).has('json')) {
    const parsed = parseJson(sample.stdout);
    if (parsed === undefined) {
      const offset = Math.max(0, expression.indexOf('json'));
      throw new ExpressionError(
        { code: 'value', message: `stdout is not JSON: ${showValue(sample.stdout, 200)}`, offset, length: 4 },
        expression,
      );
    }
    values['json'] = parsed.value;
  }
  return values;
}

function checkExpr(expression: string, sample: Sample, scope: Scope | undefined): Check {
  const common = { matcher: 'expr', expected: expression };
  try {
    const names = namesIn(expression);
    if ((sample.stdoutCut === true && (names.has('stdout') || names.has('json'))) || (sample.stderrCut === true && names.has('stderr'))) {
      return { ...common, actual: 'output over the limit', ok: 'undecidable' };
    }
    const values = { ...scope?.values, ...resultValues(expression, sample) };
    const ok = evaluateCondition(expression, { ...scope, values });
    return { ...common, actual: String(ok), ok };
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    // An expression that fails says nothing about the command: not that it holds, and not that it does not hold.
    const { message, hint } = error.problem;
    return { ...common, actual: (hint === undefined ? message : `${message}; ${hint}`).slice(0, 500), ok: 'undecidable' };
  }
}

function round(seconds: number): number {
  return Math.round(seconds * 1_000) / 1_000;
}
