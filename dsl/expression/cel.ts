import type { Value, ValueMap } from '../model/value.ts';
import { CelFault, RawText, leave, show, typeName } from './cel-value.ts';
import type { CelValue } from './cel-value.ts';
import { analyseExpression } from './analyse.ts';
import type { StepReference } from './analyse.ts';
import { SECRET_HINT, booleanHint, evaluateAst, unknownName } from './evaluate.ts';
import { ExpressionError } from './expression-error.ts';
import type { ExpressionProblem } from './expression-error.ts';
import { wholeMark } from './template.ts';
import { parseExpression } from './parse-expression.ts';

export { ExpressionError } from './expression-error.ts';
export type { ExpressionCode, ExpressionProblem } from './expression-error.ts';
export type { StepReference } from './analyse.ts';

/** What an expression sees. */
export interface Scope {
  /** Top-level names: params, env, steps, … Only names that are here exist. */
  readonly values: ValueMap;
  /** Answers of `success()` and its kin; absent = they are errors. */
  readonly status?: { readonly success: boolean; readonly failure: boolean; readonly always: boolean; readonly cancelled: boolean };
}

/** A bare expression, or one whole mark `${{ … }}` around it: what keys of type `expr` may hold. */
export function bareExpression(text: string): string {
  // A mark that is not whole (`${{ a }} && ${{ b }}`) keeps its signs and fails in the parser, which shows the place.
  return text.trimStart().startsWith('${{') ? (wholeMark(text) ?? text) : text;
}

/** Evaluates CEL over a scope. Throws an ExpressionError with a code and a message that shows the expression and the place in it. */
export function evaluateExpression(text: string, scope: Scope): Value {
  const bare = bareExpression(text);
  return leaveAt(evaluateAst(parseExpression(bare), bare, scope), bare);
}

/** Evaluates the inside of a mark; tells a `raw(x)` apart. For rendering. */
export function evaluateMarked(text: string, scope: Scope): Value | RawText {
  const value = evaluateAst(parseExpression(text), text, scope);
  return value instanceof RawText ? value : leaveAt(value, text);
}

/** Evaluates a condition: anything but true or false is an error that says how to write it. */
export function evaluateCondition(text: string, scope: Scope): boolean {
  const bare = bareExpression(text);
  const ast = parseExpression(bare);
  const value = evaluateAst(ast, bare, scope);
  if (typeof value === 'boolean') return value;
  const hint = booleanHint(value, ast, bare);
  throw new ExpressionError(
    {
      code: 'not_boolean',
      message: `a condition must be true or false, not ${typeName(value)} ${show(value)}`,
      offset: 0,
      length: bare.length,
      ...(hint === undefined ? {} : { hint }),
    },
    bare,
  );
}

function leaveAt(value: CelValue, text: string): Value {
  try {
    return leave(value);
  } catch (error) {
    if (!(error instanceof CelFault)) throw error;
    throw new ExpressionError(
      {
        code: error.code,
        message: error.message,
        offset: 0,
        length: text.length,
        ...(error.hint === undefined ? {} : { hint: error.hint }),
      },
      text,
    );
  }
}

/**
 * Checks an expression without evaluating it: syntax, limits, functions and their number of arguments, top-level names.
 * `names` are the names that will be in scope. Returns the first problem in the order of the text.
 */
export function checkExpression(text: string, names: ReadonlySet<string>): ExpressionProblem | undefined {
  const bare = bareExpression(text);
  // Places are given in the text as it was passed, so that a diagnostic underlines the right column.
  const shift = bare === text ? 0 : text.indexOf('${{') + 3;
  const moved = (problem: ExpressionProblem): ExpressionProblem => ({ ...problem, offset: problem.offset + shift });
  try {
    const analysis = analyseExpression(bare);
    if (analysis.problem !== undefined) return moved(analysis.problem);
    for (const { name, offset, hint } of analysis.uses) {
      if (name === 'secrets')
        return moved({
          code: 'secret',
          message: 'secrets cannot be used in an expression',
          offset,
          length: name.length,
          hint: SECRET_HINT,
        });
      if (!names.has(name)) {
        return moved({
          code: 'unknown_name',
          message: unknownName(name, names),
          offset,
          length: name.length,
          ...(hint === undefined ? {} : { hint }),
        });
      }
    }
    return undefined;
  } catch (error) {
    if (error instanceof ExpressionError) return moved(error.problem);
    throw error;
  }
}

/** Top-level names an expression uses, without variables of its comprehensions; `nodes` for `node("n")`. Throws on bad syntax. */
export function namesIn(text: string): ReadonlySet<string> {
  return analyseExpression(bareExpression(text)).names;
}

/** Steps an expression reads: `steps.x.stdout`, `steps["x"].outputs.y`, `steps.x.nodes[…]`. Throws on bad syntax. */
export function stepReferences(text: string): readonly StepReference[] {
  return analyseExpression(bareExpression(text)).steps;
}

/** True when the expression calls success(), failure(), always() or cancelled(). */
export function usesStatus(text: string): boolean {
  return analyseExpression(bareExpression(text)).usesStatus;
}

/** True when the expression calls always() or cancelled(): such a step is looked at even after a cancel. */
export function runsAfterCancel(text: string): boolean {
  return analyseExpression(bareExpression(text)).runsAfterCancel;
}
