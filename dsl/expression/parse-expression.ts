import { Environment } from '@marcbachmann/cel-js';
import type { ASTNode } from '@marcbachmann/cel-js';
import { ExpressionError } from './expression-error.ts';

/** Parsed CEL. Node ranges are offsets in the text. */
export type Ast = ASTNode;

/** Longest expression text, in UTF-16 units. */
const MAX_TEXT = 16_384;
const MAX_NODES = 4_096;
/** Deepest tree that is evaluated: keeps recursion far from the end of the stack, so that the outcome never depends on the engine. */
const MAX_DEPTH = 300;
/** `a.map(x, b.map(y, …))` is 2: work grows with the product of the list sizes. */
const MAX_COMPREHENSIONS = 2;

/** `receiver.name(variable, body)`: loops over a list or the keys of a map. */
export const COMPREHENSIONS: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'map', 'filter']);

// Only the parser of the library is used: its evaluator has no budget, takes no mixed lists and would need every scope converted up front.
const parser = new Environment({ unlistedVariablesAreDyn: true, limits: { maxAstNodes: MAX_NODES, maxDepth: 100 } });

// Bounded: expressions come from the suite, but a soak with rendered texts must not grow for ever.
const CACHE_SIZE = 512;
const cache = new Map<string, Ast | ExpressionError>();

/** Parses and checks limits; cached. Throws an ExpressionError. */
export function parseExpression(text: string): Ast {
  let parsed = cache.get(text);
  if (parsed === undefined) {
    parsed = parseFresh(text);
    if (text.length <= MAX_TEXT) {
      if (cache.size >= CACHE_SIZE) cache.delete(cache.keys().next().value as string);
      cache.set(text, parsed);
    }
  }
  if (parsed instanceof ExpressionError) throw parsed;
  return parsed;
}

function parseFresh(text: string): Ast | ExpressionError {
  if (text.length > MAX_TEXT)
    return fail('limit', `an expression may have at most ${MAX_TEXT} characters, this has ${text.length}`, 0, 1, text.slice(0, 200));
  if (text.trim() === '') return fail('syntax', 'the expression is empty', 0, 1, text);
  let ast: Ast;
  try {
    ast = parser.parse(text).ast;
  } catch (error) {
    return syntaxError(error, text);
  }
  return checkLimits(ast, text) ?? ast;
}

/** What the parser throws: its own error with a range, or a RangeError when a text of nothing but `!` uses up the stack. */
function syntaxError(error: unknown, text: string): ExpressionError {
  if (error instanceof RangeError) return fail('limit', 'the expression is nested too deeply', 0, text.length, text);
  const known = error as {
    readonly summary?: string;
    readonly message?: string;
    readonly code?: string;
    readonly range?: { readonly start: number; readonly end: number };
  };
  const start = Math.min(known.range?.start ?? 0, text.length);
  const length = Math.max(1, (known.range?.end ?? start + 1) - start);
  if (known.code === 'limit_exceeded')
    return fail('limit', 'the expression is nested too deeply or has too many parts', start, length, text);
  return fail('syntax', friendlySyntax(known.summary ?? String(known.message), text, start), start, length, text, syntaxHint(text, start));
}

function friendlySyntax(summary: string, text: string, start: number): string {
  if (start >= text.trimEnd().length) return 'the expression ends too early';
  return summary.charAt(0).toLowerCase() + summary.slice(1);
}

function syntaxHint(text: string, start: number): string | undefined {
  const rest = text.slice(start);
  if (rest.startsWith('=')) return 'equality is written ==';
  if (/^(?:and|or|not)\b/u.test(rest)) return 'logical operators are written && || !';
  if (rest.startsWith('&') || rest.startsWith('|')) return 'logical operators are written && and ||';
  if (rest.charCodeAt(0) > 0x7f) return 'a name with other letters is written in brackets: params["名字"]';
  return undefined;
}

function checkLimits(root: Ast, text: string): ExpressionError | undefined {
  const stack: { readonly ast: Ast; readonly depth: number; readonly loops: number }[] = [{ ast: root, depth: 1, loops: 0 }];
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    const { ast, depth } = top;
    const at = ast.start;
    const length = ast.end - ast.start;
    if (depth > MAX_DEPTH) return fail('limit', 'the expression is nested too deeply', at, 1, text);
    const loops = top.loops + (isComprehension(ast) ? 1 : 0);
    if (loops > MAX_COMPREHENSIONS) return fail('limit', `at most ${MAX_COMPREHENSIONS} nested map/filter/all/exists`, at, length, text);
    if (ast.op === 'value') {
      const literal = ast.args;
      if (literal instanceof Uint8Array) return fail('syntax', 'byte strings are not supported', at, length, text);
      if (typeof literal === 'object' && literal !== null)
        return fail('syntax', 'unsigned literals are not supported', at, length, text, 'leave the u out');
      if (typeof literal === 'bigint' && literal > 9_223_372_036_854_775_807n)
        return fail('value', 'the integer is too large', at, length, text);
    }
    for (const child of childrenOf(ast)) stack.push({ ast: child, depth: depth + 1, loops });
  }
  return undefined;
}

/** True for `list.map(x, …)` and its kin; their first argument is a variable, not a value. */
export function isComprehension(ast: Ast): boolean {
  if (ast.op !== 'rcall') return false;
  const count = ast.args[2].length;
  return COMPREHENSIONS.has(ast.args[0]) && (count === 2 || (count === 3 && ast.args[0] === 'map'));
}

/** All direct sub-expressions, the variable of a comprehension included. */
export function childrenOf(ast: Ast): readonly Ast[] {
  switch (ast.op) {
    case 'value':
    case 'id':
      return [];
    case '.':
    case '.?':
      return [ast.args[0]];
    case 'call':
      return ast.args[1];
    case 'rcall':
      return [ast.args[1], ...ast.args[2]];
    case 'map':
      return ast.args.flat();
    case '!_':
    case '-_':
      return [ast.args];
    case '[]':
    case '[?]':
    case '?:':
    case '||':
    case '&&':
    case 'list':
    case '==':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
    case 'in':
      return ast.args;
  }
}

function fail(
  code: ExpressionError['code'],
  message: string,
  offset: number,
  length: number,
  text: string,
  hint?: string,
): ExpressionError {
  return new ExpressionError({ code, message, offset, length, ...(hint === undefined ? {} : { hint }) }, text);
}
