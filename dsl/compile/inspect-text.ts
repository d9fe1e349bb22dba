import { analyseExpression } from '../expression/analyse.ts';
import { bareExpression, checkExpression } from '../expression/cel.ts';
import type { StepReference } from '../expression/cel.ts';
import { describeProblem } from '../expression/expression-error.ts';
import type { ExpressionCode, ExpressionProblem } from '../expression/expression-error.ts';
import { ExpressionError } from '../expression/cel.ts';
import { hasMarks, parseTemplate, textsIn } from '../expression/marks.ts';
import { checkMatcherBlock } from '../expression/check-matcher-block.ts';
import { conditionProblem } from '../expression/condition-problem.ts';
import { checkShell, secretName } from '../expression/shell.ts';
import { checkSql } from '../expression/sql.ts';
import type { SqlDialect } from '../expression/sql.ts';
import type { MatcherBlock } from '../model/matcher.ts';
import type { Value } from '../model/value.ts';
import { memberReferences } from './member-references.ts';
import type { MemberReference } from './member-references.ts';
import { unknownName } from './reporter.ts';

/** What one text of a definition reads. Whether it exists is known only where the definition is used. */
export interface TextUse extends Reading {
  /** Key path in the definition: `cmd`, `env.PGHOST`, `expect.expr[0]`. */
  readonly path: string;
}

/** What one expression reads. */
export interface Reading {
  readonly members: readonly MemberReference[];
  readonly steps: readonly StepReference[];
  /** Steps by a computed name or as a whole: any step may be read. */
  readonly anyStep: boolean;
  /** Top-level names. */
  readonly names: ReadonlySet<string>;
  readonly mentionsStdout: boolean;
}

/** Where an inspection puts what it finds. */
export interface Inspection {
  readonly uses: TextUse[];
  /** Names of `secrets:` of the suite. */
  readonly secrets: ReadonlySet<string>;
  /** What expressions read, by their text: large suites repeat them. */
  readonly readings: Map<string, Reading>;
  problem(code: string, path: string, message: string, hint?: string): void;
}

/** How secrets may stand in a text. */
type SecretRule = 'refused' | 'whole-mark';

const CODES: { readonly [code in ExpressionCode]: string } = {
  syntax: 'SUITE_EXPRESSION',
  limit: 'SUITE_EXPRESSION',
  unknown_name: 'SUITE_UNKNOWN_NAME',
  no_such_key: 'SUITE_UNKNOWN_NAME',
  type: 'SUITE_EXPRESSION',
  not_boolean: 'SUITE_EXPRESSION',
  value: 'SUITE_EXPRESSION',
  result: 'SUITE_EXPRESSION',
  secret: 'SUITE_SECRET',
  shell_place: 'SUITE_SHELL_PLACE',
};

/** An expression of type `expr`: bare, or one whole mark. */
export function inspectExpression(text: string, path: string, names: ReadonlySet<string>, to: Inspection): void {
  const bare = bareExpression(text);
  // Known names are checked by the set alone; only what is new, or wrong, is looked at as a whole.
  const problem = isFine(bare, names, to) ? undefined : checkExpression(text, names);
  if (problem) tell(problem, text, path, to);
  else collect(bare, path, to);
}

/** A text with marks that is not shell. */
export function inspectTemplate(
  text: string,
  path: string,
  names: ReadonlySet<string>,
  to: Inspection,
  secrets: SecretRule = 'refused',
): void {
  if (!hasMarks(text)) return;
  try {
    for (const part of parseTemplate(text)) {
      if (part.kind === 'text') continue;
      const secret = secrets === 'whole-mark' ? secretName(part.expression) : undefined;
      if (secret !== undefined) {
        if (!to.secrets.has(secret)) {
          const { message, hint } = unknownName('secret', secret, to.secrets);
          to.problem('SUITE_UNKNOWN_NAME', path, message, hint ?? 'list it under secrets:');
        }
        continue;
      }
      const problem = isFine(part.expression, names, to) ? undefined : checkExpression(part.expression, names);
      if (problem) tell({ ...problem, offset: problem.offset + part.offset }, text, path, to);
      else collect(part.expression, path, to);
    }
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    tell(error.problem, text, path, to);
  }
}

/** A shell script, or a program with arguments. */
export function inspectCmd(cmd: string | readonly string[], path: string, names: ReadonlySet<string>, to: Inspection): void {
  if (typeof cmd !== 'string') {
    cmd.forEach((argument, index) => inspectTemplate(argument, `${path}[${index}]`, names, to));
    return;
  }
  if (!hasMarks(cmd)) return;
  inspectTemplate(cmd, path, names, to, 'whole-mark');
  const problem = checkShell(cmd);
  // A mark that does not end was reported by the line before.
  if (problem && problem.code !== 'syntax') tell(problem, cmd, path, to);
}

/** A statement whose marks become bind parameters: they must stand where one can. Its names are looked at as those of any text. */
export function inspectSqlText(query: string, path: string, dialect: SqlDialect, to: Inspection): void {
  try {
    const problem = checkSql(query, dialect);
    if (problem) to.problem('SUITE_SQL_PLACE', path, describeProblem(problem, query));
  } catch (error) {
    // A mark that does not end was reported with the names.
    if (!(error instanceof ExpressionError)) throw error;
  }
}

/** Every text inside a value. */
export function inspectValue(
  value: Value,
  path: string,
  names: ReadonlySet<string>,
  to: Inspection,
  secrets: SecretRule = 'refused',
): void {
  if (typeof value === 'string') inspectTemplate(value, path, names, to, secrets);
  else if (value !== null && typeof value === 'object') for (const text of textsIn(value)) inspectTemplate(text, path, names, to, secrets);
}

export function inspectMap(
  map: { readonly [name: string]: Value } | undefined,
  path: string,
  names: ReadonlySet<string>,
  to: Inspection,
  secrets: SecretRule = 'refused',
): void {
  if (!map) return;
  for (const [key, value] of Object.entries(map)) inspectValue(value, `${path}.${key}`, names, to, secrets);
}

/** A matcher block: regular expressions, paths, ranges, marks, and `expr` over the result. */
export function inspectMatchers(
  block: MatcherBlock | undefined,
  path: string,
  names: ReadonlySet<string>,
  resultNames: ReadonlySet<string>,
  to: Inspection,
): void {
  if (!block) return;
  for (const { path: keys, message, hint } of checkMatcherBlock(block))
    to.problem('SUITE_MATCHER', [path, ...keys].join('.'), message, hint);
  inspectMatcherTexts(block, path, names, resultNames, to);
}

function inspectMatcherTexts(
  block: MatcherBlock,
  path: string,
  names: ReadonlySet<string>,
  resultNames: ReadonlySet<string>,
  to: Inspection,
): void {
  for (const [key, value] of Object.entries(block)) {
    if (value === undefined) continue;
    if (key === 'expr')
      (value as readonly string[]).forEach((text, index) => {
        inspectExpression(text, `${path}.expr[${index}]`, resultNames, to);
        const problem = conditionProblem(text);
        if (problem) tell(problem, bareExpression(text), `${path}.expr[${index}]`, to);
      });
    else if (key === 'stderr') inspectMatcherTexts(value as MatcherBlock, `${path}.stderr`, names, resultNames, to);
    else inspectValue(value as Value, `${path}.${key}`, names, to);
  }
}

function tell(problem: ExpressionProblem, text: string, path: string, to: Inspection): void {
  to.problem(CODES[problem.code], path, describeProblem(problem, text));
}

/** An expression that was read before has no mistake of form; its names may still not exist here. */
function isFine(expression: string, names: ReadonlySet<string>, to: Inspection): boolean {
  const reading = to.readings.get(expression);
  if (!reading) return false;
  for (const name of reading.names) if (!names.has(name)) return false;
  return true;
}

function collect(expression: string, path: string, to: Inspection): void {
  let reading = to.readings.get(expression);
  if (!reading) {
    const { names, steps, anyStep } = analyseExpression(expression);
    reading = { names, steps, anyStep, members: memberReferences(expression), mentionsStdout: expression.includes('stdout') };
    to.readings.set(expression, reading);
  }
  if (reading.names.size > 0) to.uses.push({ path, ...reading });
}
