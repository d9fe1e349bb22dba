import { checkCall } from './evaluate.ts';
import type { ExpressionProblem } from './expression-error.ts';
import { childrenOf, isComprehension, parseExpression } from './parse-expression.ts';
import type { Ast } from './parse-expression.ts';

/** A place where an expression reads a step. */
export interface StepReference {
  readonly step: string;
  /** `stdout`, `outputs`, `nodes`, …; absent when the step is used as a whole. */
  readonly field?: string;
  /** With `outputs`: the name of the output. */
  readonly output?: string;
  /** With `nodes`: the field read of a node, e.g. `stdout` of `steps.x.nodes["a"].stdout`; absent when it is not written out. */
  readonly nodeField?: string;
  /** Offset in the expression. */
  readonly offset: number;
}

export interface Analysis {
  readonly names: ReadonlySet<string>;
  /** Every use of a top-level name, in the order of the text. */
  readonly uses: readonly { readonly name: string; readonly offset: number; readonly hint?: string }[];
  readonly steps: readonly StepReference[];
  /** `steps` used without a name, or with a computed one: any step may be read. */
  readonly anyStep: boolean;
  /** Roles read by name: `roles.x`, `roles["x"]`. */
  readonly roles: ReadonlySet<string>;
  /** `roles` used without a name, or with a computed one: any role may be read. */
  readonly anyRole: boolean;
  readonly usesStatus: boolean;
  readonly runsAfterCancel: boolean;
  readonly problem?: ExpressionProblem;
}

/** Looks at an expression without evaluating it. Throws an ExpressionError on bad syntax. */
export function analyseExpression(text: string): Analysis {
  const uses: { name: string; offset: number; hint?: string }[] = [];
  const steps: StepReference[] = [];
  const problems: ExpressionProblem[] = [];
  const calls = new Set<string>();
  const roles = new Set<string>();
  let anyStep = false;
  let anyRole = false;

  const use = (name: string, offset: number, hint?: string): void => {
    uses.push({ name, offset, ...(hint === undefined ? {} : { hint }) });
  };

  /** Returns true when the chain of accesses was read as a step reference and needs no further look. */
  const readSteps = (ast: Ast, locals: ReadonlySet<string>): boolean => {
    const path = accessPath(ast);
    if (path === undefined || path.root !== 'steps' || locals.has('steps')) return false;
    use('steps', path.offset);
    for (const dynamic of path.dynamic) walk(dynamic, locals);
    const [step, field, third, fourth] = path.keys;
    if (typeof step !== 'string') anyStep = true;
    else {
      steps.push({
        step,
        offset: path.offset,
        ...(typeof field === 'string' ? { field } : {}),
        ...(field === 'outputs' && typeof third === 'string' ? { output: third } : {}),
        ...(field === 'nodes' && typeof fourth === 'string' ? { nodeField: fourth } : {}),
      });
    }
    return true;
  };

  const readRoles = (ast: Ast, locals: ReadonlySet<string>): boolean => {
    const path = accessPath(ast);
    if (path === undefined || path.root !== 'roles' || locals.has('roles')) return false;
    use('roles', path.offset);
    for (const dynamic of path.dynamic) walk(dynamic, locals);
    const [role] = path.keys;
    if (typeof role === 'string') roles.add(role);
    else anyRole = true;
    return true;
  };

  const walk = (ast: Ast, locals: ReadonlySet<string>): void => {
    if ((ast.op === '.' || ast.op === '[]' || ast.op === 'id') && (readSteps(ast, locals) || readRoles(ast, locals))) return;
    if (ast.op === 'id') {
      if (!locals.has(ast.args)) use(ast.args, ast.start);
      return;
    }
    if (ast.op === '.?' || ast.op === '[?]') problems.push(problemAt(ast, 'syntax', 'optional access is not supported'));
    if (ast.op === 'call') {
      calls.add(ast.args[0]);
      if (ast.args[0] === 'node') use('nodes', ast.start);
      const wrong = checkCall(ast.args[0], ast.args[1].length, 'call');
      if (wrong !== undefined)
        problems.push({ ...problemAt(ast, wrong.code, wrong.message), ...(wrong.hint === undefined ? {} : { hint: wrong.hint }) });
      const field = ast.args[1][0];
      if (ast.args[0] === 'has' && field !== undefined && field.op !== '.' && field.op !== '[]')
        problems.push(problemAt(ast, 'type', 'has() takes a field, as has(a.b)'));
    }
    if (ast.op === 'rcall') {
      if (isComprehension(ast)) {
        const [variable, ...bodies] = ast.args[2];
        walk(ast.args[1], locals);
        const inner = new Set(locals);
        if (variable?.op === 'id') inner.add(variable.args);
        for (const body of bodies) walk(body, inner);
        return;
      }
      const wrong = checkCall(ast.args[0], ast.args[2].length + 1, 'method');
      if (wrong !== undefined)
        problems.push({ ...problemAt(ast, wrong.code, wrong.message), ...(wrong.hint === undefined ? {} : { hint: wrong.hint }) });
    }
    if (ast.op === '-') {
      const hint = dashHint(ast.args[0], ast.args[1]);
      if (hint !== undefined) {
        walk(ast.args[0], locals);
        const [name] = rootOf(ast.args[1]) as [string, number];
        use(name, (rootOf(ast.args[1]) as [string, number])[1], hint);
        return;
      }
    }
    for (const child of childrenOf(ast)) walk(child, locals);
  };

  walk(parseExpression(text), new Set());
  const problem = problems.sort((a, b) => a.offset - b.offset)[0];
  return {
    names: new Set(uses.map(({ name }) => name)),
    uses: uses.sort((a, b) => a.offset - b.offset),
    steps,
    anyStep,
    roles,
    anyRole,
    usesStatus: ['success', 'failure', 'always', 'cancelled'].some((name) => calls.has(name)),
    runsAfterCancel: calls.has('always') || calls.has('cancelled'),
    ...(problem === undefined ? {} : { problem }),
  };
}

/** `steps.my-id.stdout` is a subtraction in CEL. */
function dashHint(left: Ast, right: Ast): string | undefined {
  const root = rootOf(right);
  if (left.op !== '.' || root === undefined) return undefined;
  if (right.start !== left.end + 1) return undefined;
  return `a name with "-" is written in brackets: ["${left.args[1]}-${root[0]}"]`;
}

function rootOf(ast: Ast): readonly [name: string, offset: number] | undefined {
  let current = ast;
  while (current.op === '.' || current.op === '[]') current = current.args[0];
  return current.op === 'id' ? [current.args, current.start] : undefined;
}

/** `a.b["c"][i]` as root and keys; `undefined` in a key = computed. */
function accessPath(
  ast: Ast,
):
  | { readonly root: string; readonly offset: number; readonly keys: readonly (string | undefined)[]; readonly dynamic: readonly Ast[] }
  | undefined {
  const keys: (string | undefined)[] = [];
  const dynamic: Ast[] = [];
  let current = ast;
  while (current.op === '.' || current.op === '[]') {
    const key = current.args[1];
    if (typeof key === 'string') keys.unshift(key);
    else if (key.op === 'value' && typeof key.args === 'string') keys.unshift(key.args);
    else {
      keys.unshift(undefined);
      dynamic.push(key);
    }
    current = current.args[0];
  }
  return current.op === 'id' ? { root: current.args, offset: current.start, keys, dynamic } : undefined;
}

function problemAt(ast: Ast, code: ExpressionProblem['code'], message: string): ExpressionProblem {
  return { code, message, offset: ast.start, length: Math.max(1, ast.end - ast.start) };
}
