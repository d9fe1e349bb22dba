import { childrenOf, isComprehension, parseExpression } from '../expression/parse-expression.ts';
import type { Ast } from '../expression/parse-expression.ts';

/** Maps whose keys are known before the run. */
export type MemberRoot = 'params' | 'inputs' | 'bind' | 'roles' | 'probes' | 'env';

/** `params.mode`, `env["X"]`, … in an expression. */
export interface MemberReference {
  readonly root: MemberRoot;
  readonly key: string;
}

const ROOTS: ReadonlySet<string> = new Set<MemberRoot>(['params', 'inputs', 'bind', 'roles', 'probes', 'env']);

/**
 * Keys that an expression reads from maps whose keys are known before the run. A key that the expression itself asks for by `has(…)` or
 * `"X" in env` is allowed to be absent and is not listed. The text must parse.
 */
export function memberReferences(text: string): readonly MemberReference[] {
  const found: MemberReference[] = [];
  const asked = new Set<string>();
  const walk = (ast: Ast, locals: ReadonlySet<string>): void => {
    const member = memberOf(ast);
    if (member && !locals.has(member.root)) {
      found.push(member);
      return;
    }
    if (ast.op === 'call' && ast.args[0] === 'has') {
      const member = ast.args[1][0] && memberOf(ast.args[1][0]);
      if (member) asked.add(`${member.root}.${member.key}`);
    }
    if (ast.op === 'in') {
      const [key, map] = ast.args as readonly Ast[];
      if (key?.op === 'value' && typeof key.args === 'string' && map?.op === 'id') asked.add(`${map.args}.${key.args}`);
    }
    if (isComprehension(ast) && ast.op === 'rcall') {
      const [variable, ...bodies] = ast.args[2];
      walk(ast.args[1], locals);
      const inner = variable?.op === 'id' ? new Set([...locals, variable.args]) : locals;
      for (const body of bodies) walk(body, inner);
      return;
    }
    for (const child of childrenOf(ast)) walk(child, locals);
  };
  walk(parseExpression(text), new Set());
  return found.filter((member) => !asked.has(`${member.root}.${member.key}`));
}

/** The member of a known map that a part of an expression reads by a fixed key. */
export function memberOf(ast: Ast): MemberReference | undefined {
  if (ast.op !== '.' && ast.op !== '[]') return undefined;
  const [receiver, key] = ast.args;
  if (receiver.op !== 'id' || !ROOTS.has(receiver.args)) return undefined;
  const name = typeof key === 'string' ? key : key.op === 'value' && typeof key.args === 'string' ? key.args : undefined;
  return name === undefined ? undefined : { root: receiver.args as MemberRoot, key: name };
}
