import { booleanHint } from '../expression/evaluate.ts';
import { bareExpression } from '../expression/cel.ts';
import { describeProblem, ExpressionError } from '../expression/expression-error.ts';
import { parseExpression } from '../expression/parse-expression.ts';
import type { Ast } from '../expression/parse-expression.ts';
import { inspectExpression } from './inspect-text.ts';
import type { Inspection } from './inspect-text.ts';
import { memberOf } from './member-references.ts';

/**
 * An expression that must be true or false. `env.X` is always text, so where it stands as a condition by itself, or in one behind
 * `!`, `&&`, `||` and before `?`, the run would only find out late what is known now. What depends on other values is left to the run.
 */
export function inspectCondition(text: string, path: string, names: ReadonlySet<string>, to: Inspection): void {
  inspectExpression(text, path, names, to);
  const bare = bareExpression(text);
  const found = textInCondition(bare);
  if (!found) return;
  const hint = booleanHint('', found, bare);
  const problem = {
    code: 'not_boolean' as const,
    message: 'a condition must be true or false, and this is always text',
    offset: found.start,
    length: found.end - found.start,
    ...(hint !== undefined && { hint }),
  };
  to.problem('SUITE_EXPRESSION', path, describeProblem(problem, bare));
}

function textInCondition(bare: string): Ast | undefined {
  try {
    return textIn(parseExpression(bare));
  } catch (error) {
    // Bad syntax has been reported with the names.
    if (error instanceof ExpressionError) return undefined;
    throw error;
  }
}

function textIn(ast: Ast): Ast | undefined {
  if (ast.op === '.' || ast.op === '[]') return memberOf(ast)?.root === 'env' ? ast : undefined;
  if (ast.op === '!_') return textIn(ast.args);
  if (ast.op === '&&' || ast.op === '||') return textIn(ast.args[0]) ?? textIn(ast.args[1]);
  return ast.op === '?:' ? (textIn(ast.args[0]) ?? textIn(ast.args[1]) ?? textIn(ast.args[2])) : undefined;
}
