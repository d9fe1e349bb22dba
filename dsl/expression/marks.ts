import type { Value } from '../model/value.ts';
import { analyseExpression } from './analyse.ts';
import { RawText, toPlainText } from './cel-value.ts';
import { evaluateMarked } from './cel.ts';
import type { Scope } from './cel.ts';
import { ExpressionError } from './expression-error.ts';
import type { ExpressionProblem } from './expression-error.ts';

/** A piece of a template: text as it stands, or the inside of one `${{ … }}`. Offsets count UTF-16 units of the template. */
export type TemplatePart =
  | { readonly kind: 'text'; readonly text: string; readonly offset: number }
  | {
      readonly kind: 'mark';
      readonly expression: string;
      /** Of the first character inside the mark. */
      readonly offset: number;
      /** Of the `$`, and behind the last `}`. */
      readonly start: number;
      readonly end: number;
    };

/** True when the text holds at least one mark (also one that does not end). */
export function hasMarks(text: string): boolean {
  return text.includes('${{');
}

/**
 * Splits a template into text and marks. A `}}` inside a CEL string or inside a map literal does not end a mark.
 * There is no escape: the text `${{` itself is written as the mark `${{ "${{" }}`. Throws an ExpressionError when a mark does not end.
 */
export function parseTemplate(text: string): TemplatePart[] {
  const parts: TemplatePart[] = [];
  let at = 0;
  for (let start = text.indexOf('${{'); start !== -1; start = text.indexOf('${{', at)) {
    if (start > at) parts.push({ kind: 'text', text: text.slice(at, start), offset: at });
    const close = findClose(text, start + 3);
    if (close === -1)
      throw new ExpressionError({ code: 'syntax', message: 'the mark ${{ has no closing }}', offset: start, length: 3 }, text);
    parts.push({ kind: 'mark', expression: text.slice(start + 3, close), offset: start + 3, start, end: close + 2 });
    at = close + 2;
  }
  if (at < text.length) parts.push({ kind: 'text', text: text.slice(at), offset: at });
  return parts;
}

/** Offset of the `}}` that ends a mark whose inside starts at `from`; −1 when there is none. */
function findClose(text: string, from: number): number {
  let braces = 0;
  let at = from;
  while (at < text.length) {
    const character = text[at];
    if (character === '"' || character === "'") {
      at = skipString(text, at, character);
      continue;
    }
    if (character === '/' && text[at + 1] === '/') {
      // A comment runs to the end of its line or of the mark; quotes in it mean nothing.
      while (at < text.length && text[at] !== '\n' && !(text[at] === '}' && text[at + 1] === '}')) at++;
      continue;
    }
    if (character === '{') braces++;
    else if (character === '}') {
      if (braces > 0) braces--;
      else if (text[at + 1] === '}') return at;
    }
    at++;
  }
  return -1;
}

/** Offset behind a CEL string that starts with `quote` at `at`; the end of the text when it does not end. */
function skipString(text: string, at: number, quote: string): number {
  const triple = text.startsWith(quote.repeat(3), at);
  const close = triple ? quote.repeat(3) : quote;
  let next = at + close.length;
  while (next < text.length) {
    if (text[next] === '\\') next += 2;
    else if (text.startsWith(close, next)) return next + close.length;
    // A plain string may not hold a line break; stopping here lets the parser show the place instead of a mark without end.
    else if (!triple && text[next] === '\n') return next;
    else next++;
  }
  return text.length;
}

/** The only mark of a text that is nothing but one mark (blanks around it allowed). */
export function wholeMark(text: string): string | undefined {
  if (!hasMarks(text)) return undefined;
  const parts = parseTemplate(text).filter((part) => part.kind === 'mark' || part.text.trim() !== '');
  const [only] = parts;
  return parts.length === 1 && only?.kind === 'mark' ? only.expression : undefined;
}

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
  const rendered = parseTemplate(text).map((part) => (part.kind === 'text' ? part.text : markText(part.expression, scope)));
  // One whole mark may stand in a block scalar, whose line break belongs to YAML and not to the value.
  return rendered.join('');
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

/** Top-level names that the marks of a template use; `nodes` for `node("n")`. Throws on bad syntax. */
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
 * With `secrets: true` a whole `secrets.NAME` mark is allowed.
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
