import { bareExpression } from './cel.ts';
import { booleanHint } from './evaluate.ts';
import { ExpressionError } from './expression-error.ts';
import type { ExpressionProblem } from './expression-error.ts';
import { parseExpression } from './parse-expression.ts';
import type { Ast } from './parse-expression.ts';

/** Names of a result that are never true or false. */
const NAMES: { readonly [name: string]: string } = { stdout: 'text', stderr: 'text', exit_code: 'a number', duration: 'a number' };
const CALLS: { readonly [name: string]: string } = { size: 'a number', int: 'a number', double: 'a number', string: 'text', trim: 'text' };

/**
 * Why a condition over a result can be neither true nor false whatever the result is: its root is a calculation, a literal, a list, a map,
 * or a name or function of another type (`1 + 1`, `stdout`, `size(stdout)`). What depends on values is left to the run; bad syntax to checkExpression.
 */
export function conditionProblem(text: string): ExpressionProblem | undefined {
  const bare = bareExpression(text);
  let ast: Ast;
  try {
    ast = parseExpression(bare);
  } catch (error) {
    if (error instanceof ExpressionError) return undefined;
    throw error;
  }
  const kind = certainType(ast);
  if (kind === undefined) return undefined;
  const hint = kind === 'text' ? booleanHint('', ast, bare) : kind === 'a number' ? booleanHint(0, ast, bare) : undefined;
  return {
    code: 'not_boolean',
    message: `a condition must be true or false, and this is ${kind}`,
    offset: ast.start,
    length: ast.end - ast.start,
    ...(hint === undefined ? {} : { hint }),
  };
}

const CALCULATIONS: ReadonlySet<string> = new Set(['+', '-', '*', '/', '%', '-_']);

function certainType(ast: Ast): string | undefined {
  if (CALCULATIONS.has(ast.op)) return 'a calculation';
  if (ast.op === 'list' || ast.op === 'map') return `a ${ast.op}`;
  if (ast.op === 'id') return Object.hasOwn(NAMES, ast.args) ? NAMES[ast.args] : undefined;
  if (ast.op === 'call' || ast.op === 'rcall') return Object.hasOwn(CALLS, ast.args[0]) ? CALLS[ast.args[0]] : undefined;
  if (ast.op !== 'value' || typeof ast.args === 'boolean') return undefined;
  const value: unknown = ast.args;
  return typeof value === 'string' ? 'text' : value === null ? 'null' : 'a number';
}
