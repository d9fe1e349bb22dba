import type { Value } from '../model/value.ts';
import { analyseExpression } from './analyse.ts';
import { RawText, toPlainText } from './cel-value.ts';
import { evaluateMarked } from './cel.ts';
import type { Scope } from './cel.ts';
import { ExpressionError } from './expression-error.ts';
import { hasMarks, parseTemplate, wholeMark } from './template.ts';
import type { ExpressionProblem } from './expression-error.ts';

export { hasMarks, parseTemplate, wholeMark } from './template.ts';
export type { TemplatePart } from './template.ts';

/** Renders a scalar. One whole mark keeps its type; otherwise text. Throws an ExpressionError. */
export function renderTemplate(text: string, scope: Scope): Value {
  const whole = wholeMark(text);
  if (whole === undefined) return renderText(text, scope);
  const value = evaluateMarked(whole, scope);
  return value instanceof RawText ? value.text : value;
}

/** Renders to text: texts as they are, numbers and booleans as in JSON, lists and maps as JSON, null is an error. */
export function renderText(text: string, scope: Scope): string {
  if (!hasMarks(text)) return text;
  return parseTemplate(text)
    .map((part) => (part.kind === 'text' ? part.text : markText(part.expression, scope)))
    .join('');
}

/** The value of one mark as text. */
export function markText(expression: string, scope: Scope): string {
  return textOf(evaluateMarked(expression, scope), expression);
}

/** Text of a value in a template; null is an error that names the expression. */
export function textOf(value: Value | RawText, expression: string): string {
  const text = toPlainText(value);
  if (text !== undefined) return text;
  throw new ExpressionError(
    {
      code: 'value',
      message: 'the value is null, which has no text',
      offset: 0,
      length: expression.length,
      hint: 'compare it with null first, or use case(x == null, "", x)',
    },
    expression,
  );
}

const MAX_DEPTH = 100;

/** Renders every text inside a value, keys excepted. A value without marks is returned as it is. */
export function renderValue(value: Value, scope: Scope, depth = 0): Value {
  if (typeof value === 'string') return renderTemplate(value, scope);
  if (value === null || typeof value !== 'object') return value;
  if (depth > MAX_DEPTH)
    throw new ExpressionError({ code: 'limit', message: `the value is nested deeper than ${MAX_DEPTH}`, offset: 0, length: 1 }, '');
  if (isArray(value)) return value.map((item) => renderValue(item, scope, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, renderValue(item, scope, depth + 1)]));
}

function isArray(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

/** Top-level names that the marks of a template use, `secrets` included; `nodes` for `node("n")`. Throws on bad syntax. */
export function namesInTemplate(text: string): ReadonlySet<string> {
  return namesInValue(text);
}

/** As namesInTemplate for every text inside a value. */
export function namesInValue(value: Value): ReadonlySet<string> {
  const names = new Set<string>();
  for (const text of textsIn(value)) {
    if (!hasMarks(text)) continue;
    for (const part of parseTemplate(text)) {
      if (part.kind === 'mark') for (const name of analyseExpression(part.expression).names) names.add(name);
    }
  }
  return names;
}

/** Every text inside a value, keys excepted. */
export function textsIn(value: Value): readonly string[] {
  if (typeof value === 'string') return [value];
  if (value === null || typeof value !== 'object') return [];
  return Object.values(value).flatMap((item: Value) => textsIn(item));
}

/**
 * Checks every mark of a template against the names that will be in scope, without evaluating. Places are offsets in the template.
 * `check` judges one expression, e.g. `(e) => (secretName(e) ? undefined : checkExpression(e, names))`.
 */
export function checkTemplate(text: string, check: (expression: string) => ExpressionProblem | undefined): ExpressionProblem | undefined {
  if (!hasMarks(text)) return undefined;
  try {
    for (const part of parseTemplate(text)) {
      if (part.kind === 'text') continue;
      const problem = check(part.expression);
      if (problem !== undefined) return { ...problem, offset: problem.offset + part.offset };
    }
    return undefined;
  } catch (error) {
    if (error instanceof ExpressionError) return error.problem;
    throw error;
  }
}
