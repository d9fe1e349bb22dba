import { checkBuilt, checkBuiltList, newBudget } from './budget.ts';
import { CelFault, RawText, compare, enter, equals, isList, isMap, show, typeName } from './cel-value.ts';
import type { CelList, CelValue } from './cel-value.ts';
import { ExpressionError } from './expression-error.ts';
import type { ExpressionCode } from './expression-error.ts';
import { FUNCTION_NAMES, checkInt, findFunction, isIn, keysOf } from './functions.ts';
import type { FunctionContext } from './functions.ts';
import { isComprehension } from './parse-expression.ts';
import type { Ast } from './parse-expression.ts';
import { suggest } from './suggest.ts';

interface Evaluation extends FunctionContext {
  readonly text: string;
  /** Variables of comprehensions, innermost last. */
  readonly locals: { readonly name: string; value: CelValue }[];
}

/** Evaluates a parsed expression. Throws an ExpressionError whose place is the innermost part that went wrong. */
export function evaluateAst(ast: Ast, text: string, scope: Pick<FunctionContext, 'values' | 'status'>): CelValue {
  // Written out: spreading the scope costs more than an average expression.
  const evaluation: Evaluation = { values: scope.values, status: scope.status, text, budget: newBudget(), locals: [] };
  try {
    return run(ast, evaluation);
  } catch (error) {
    // Only values nested thousands deep get here; said as a limit, because it would otherwise look like our bug.
    if (error instanceof RangeError) throw fault('limit', 'the values are nested too deeply or too large', ast, text);
    throw error;
  }
}

function run(ast: Ast, evaluation: Evaluation): CelValue {
  if (--evaluation.budget.steps < 0) throw fault('limit', 'the expression takes too many steps', ast, evaluation.text);
  try {
    return dispatch(ast, evaluation);
  } catch (error) {
    if (error instanceof CelFault) throw fault(error.code, error.message, ast, evaluation.text, error.hint);
    throw error;
  }
}

function dispatch(ast: Ast, evaluation: Evaluation): CelValue {
  switch (ast.op) {
    case 'value':
      // Other literals are refused by the parser's checks.
      return ast.args as CelValue;
    case 'id':
      return variable(ast, ast.args, evaluation);
    case '.':
      return member(run(ast.args[0], evaluation), ast.args[1]);
    case '[]':
      return member(run(ast.args[0], evaluation), run(ast.args[1], evaluation));
    case 'call':
      return call(ast, ast.args[0], ast.args[1], evaluation);
    case 'rcall':
      return isComprehension(ast) ? comprehension(ast, evaluation) : method(ast, ast.args[0], ast.args[1], ast.args[2], evaluation);
    case 'list':
      return ast.args.map((item) => run(item, evaluation));
    case 'map':
      return Object.fromEntries(ast.args.map(([key, value]) => [mapKey(run(key, evaluation)), run(value, evaluation)]));
    case '?:':
      return bool(ast.args[0], run(ast.args[0], evaluation), evaluation) ? run(ast.args[1], evaluation) : run(ast.args[2], evaluation);
    case '||':
      return logical(ast.args[0], ast.args[1], true, evaluation);
    case '&&':
      return logical(ast.args[0], ast.args[1], false, evaluation);
    case '!_':
      return !bool(ast.args, run(ast.args, evaluation), evaluation);
    case '-_':
      return negate(run(ast.args, evaluation));
    case '.?':
    case '[?]':
      throw fault('syntax', 'optional access is not supported', ast, evaluation.text, 'write has(a.b) ? a.b : …');
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
      return binary(ast.op, run(ast.args[0], evaluation), run(ast.args[1], evaluation), evaluation);
  }
}

function variable(ast: Ast, name: string, evaluation: Evaluation): CelValue {
  for (let index = evaluation.locals.length - 1; index >= 0; index--) {
    const local = evaluation.locals[index];
    if (local?.name === name) return local.value;
  }
  if (name === 'secrets') throw fault('secret', 'secrets cannot be used in an expression', ast, evaluation.text, SECRET_HINT);
  if (Object.hasOwn(evaluation.values, name)) return enter(evaluation.values[name] as CelValue);
  throw fault('unknown_name', unknownName(name, Object.keys(evaluation.values)), ast, evaluation.text);
}

/** Where a secret may stand. */
export const SECRET_HINT = 'a whole ${{ secrets.NAME }} may stand in shell text and in env';

/** Message for a name that does not exist, with the nearest and all known names. */
export function unknownName(name: string, known: Iterable<string>): string {
  const names = [...known].sort();
  const near = suggest(name, names);
  return `unknown name "${name}"${near === undefined ? '' : `, did you mean "${near}"?`} (known names: ${names.join(', ')})`;
}

function member(holder: CelValue, key: CelValue): CelValue {
  if (isMap(holder)) {
    if (typeof key !== 'string') throw new CelFault('type', `a key of a map is text, not ${typeName(key)} ${show(key)}`);
    if (Object.hasOwn(holder, key)) return enter(holder[key] as CelValue);
    const near = suggest(key, Object.keys(holder));
    throw new CelFault('no_such_key', `there is no "${key}"${near === undefined ? '' : `, did you mean "${near}"?`}`, keysOf(holder));
  }
  if (isList(holder)) {
    if (typeof key !== 'bigint')
      throw new CelFault(
        'type',
        `a list is indexed by an integer, not ${typeName(key)} ${show(key)}`,
        'every element: list.map(x, x.field)',
      );
    if (key < 0n || key >= BigInt(holder.length))
      throw new CelFault('no_such_key', `there is no element ${key} in a list of ${holder.length}`);
    return enter(holder[Number(key)] as CelValue);
  }
  throw new CelFault('type', `${typeName(holder)} ${show(holder)} has no ${typeof key === 'string' ? `field "${key}"` : 'elements'}`);
}

function mapKey(key: CelValue): string {
  if (typeof key === 'string') return key;
  throw new CelFault('type', `a key of a map is text, not ${typeName(key)} ${show(key)}`);
}

function call(ast: Ast, name: string, args: readonly Ast[], evaluation: Evaluation): CelValue {
  if (name === 'has' && args.length === 1) return has(args[0] as Ast, evaluation);
  if (name === 'case' && args.length === 3) {
    const [condition, then, otherwise] = args as [Ast, Ast, Ast];
    return bool(condition, run(condition, evaluation), evaluation) ? run(then, evaluation) : run(otherwise, evaluation);
  }
  const definition = findFunction(name);
  const wrong = checkCall(name, args.length, 'call');
  if (wrong !== undefined || definition === undefined)
    throw fault(wrong?.code ?? 'unknown_name', wrong?.message ?? name, ast, evaluation.text, wrong?.hint);
  return definition.apply(
    args.map((argument) => run(argument, evaluation)),
    evaluation,
  );
}

function method(ast: Ast, name: string, receiver: Ast, args: readonly Ast[], evaluation: Evaluation): CelValue {
  const definition = findFunction(name);
  const wrong = checkCall(name, args.length + 1, 'method');
  if (wrong !== undefined || definition === undefined)
    throw fault(wrong?.code ?? 'unknown_name', wrong?.message ?? name, ast, evaluation.text, wrong?.hint);
  return definition.apply([run(receiver, evaluation), ...args.map((argument) => run(argument, evaluation))], evaluation);
}

/** Whether there is such a function with that number of arguments (of a method, the receiver counts). */
export function checkCall(
  name: string,
  count: number,
  form: 'call' | 'method',
): { readonly code: ExpressionCode; readonly message: string; readonly hint?: string } | undefined {
  const shown = form === 'call' ? `${name}()` : `.${name}()`;
  if (name === 'has') return form === 'call' && count === 1 ? undefined : { code: 'type', message: 'has() takes one field, as has(a.b)' };
  if (name === 'case')
    return form === 'call' && count === 3 ? undefined : { code: 'type', message: 'case() takes a condition and two values' };
  const definition = findFunction(name);
  if (definition === undefined || (form === 'method' && definition.form === 'call')) {
    if (definition !== undefined) return { code: 'unknown_name', message: `${name} is not a method`, hint: `write ${name}(…)` };
    const near = suggest(name, FUNCTION_NAMES);
    return {
      code: 'unknown_name',
      message: `there is no function ${shown}${near === undefined ? '' : `, did you mean ${near}()?`}`,
      ...(near === undefined ? { hint: `known: ${FUNCTION_NAMES.join(', ')}` } : {}),
    };
  }
  const [min, max] = definition.arity;
  if (count >= min && count <= max) return undefined;
  const shift = form === 'method' ? 1 : 0;
  const wanted = min === max ? `${min - shift}` : `${min - shift} to ${max - shift}`;
  return { code: 'type', message: `${shown} takes ${wanted} argument${wanted === '1' ? '' : 's'}, not ${count - shift}` };
}

/** `has(a.b.c)`: false as soon as a key on the way is missing; every other error stays an error. */
function has(ast: Ast, evaluation: Evaluation): boolean {
  if (ast.op !== '.' && ast.op !== '[]') throw fault('type', 'has() takes a field, as has(a.b)', ast, evaluation.text);
  try {
    run(ast, evaluation);
    return true;
  } catch (error) {
    if (error instanceof ExpressionError && error.code === 'no_such_key') return false;
    throw error;
  }
}

function bool(ast: Ast, value: CelValue, evaluation: Evaluation): boolean {
  if (typeof value === 'boolean') return value;
  throw fault(
    'not_boolean',
    `a condition must be true or false, not ${typeName(value)} ${show(value)}`,
    ast,
    evaluation.text,
    booleanHint(value, ast, evaluation.text),
  );
}

/** How to make a condition out of a value. */
export function booleanHint(value: CelValue, ast: Ast, text: string): string | undefined {
  const source = text.slice(ast.start, ast.end);
  const shown = source.length > 0 && source.length <= 40 ? source : 'x';
  if (typeof value === 'string' || value instanceof RawText) return `write ${shown} != ""`;
  if (typeof value === 'bigint' || typeof value === 'number') return `write ${shown} != 0`;
  if (value === null) return `write ${shown} != null`;
  return `write size(${shown}) > 0`;
}

/**
 * `||` and `&&`. As in CEL, the right side decides when it can although the left side failed (a key that is not there, say);
 * names that do not exist and values that are not boolean stay errors, so that a slip of the pen never hides.
 */
function logical(leftAst: Ast, rightAst: Ast, decisive: boolean, evaluation: Evaluation): boolean {
  let failure: ExpressionError | undefined;
  try {
    if (bool(leftAst, run(leftAst, evaluation), evaluation) === decisive) return decisive;
  } catch (error) {
    if (!(error instanceof ExpressionError && (error.code === 'no_such_key' || error.code === 'value'))) throw error;
    failure = error;
  }
  const right = bool(rightAst, run(rightAst, evaluation), evaluation);
  if (right === decisive || failure === undefined) return right;
  throw failure;
}

function comprehension(ast: Ast, evaluation: Evaluation): CelValue {
  const [name, receiverAst, args] = ast.args as readonly [string, Ast, readonly Ast[]];
  const [variableAst, ...rest] = args as [Ast, ...Ast[]];
  if (variableAst.op !== 'id')
    throw fault('syntax', `the first argument of ${name}() is the name of a variable`, variableAst, evaluation.text);
  const receiver = run(receiverAst, evaluation);
  if (!isList(receiver) && !isMap(receiver))
    throw new CelFault('type', `${name}() needs a list or a map, not ${typeName(receiver)} ${show(receiver)}`);
  const items: CelList = isList(receiver) ? receiver : Object.keys(receiver);
  const local = { name: variableAst.args, value: null as CelValue };
  evaluation.locals.push(local);
  try {
    const each = (body: Ast, item: CelValue): CelValue => {
      local.value = enter(item);
      return run(body, evaluation);
    };
    return loop(name, items, rest, each, evaluation);
  } finally {
    evaluation.locals.pop();
  }
}

function loop(
  name: string,
  items: CelList,
  bodies: readonly Ast[],
  each: (body: Ast, item: CelValue) => CelValue,
  evaluation: Evaluation,
): CelValue {
  const body = bodies.at(-1) as Ast;
  const condition = bodies[0] as Ast;
  const test = (item: CelValue): boolean => bool(condition, each(condition, item), evaluation);
  switch (name) {
    case 'all':
      return items.every(test);
    case 'exists':
      return items.some(test);
    case 'exists_one':
      return items.filter(test).length === 1;
    case 'filter':
      return items.filter(test);
    default: {
      checkBuiltList(evaluation.budget, items.length);
      const kept = bodies.length === 2 ? items.filter(test) : items;
      return kept.map((item) => each(body, item));
    }
  }
}

function negate(value: CelValue): CelValue {
  if (typeof value === 'bigint') return checkInt(-value);
  if (typeof value === 'number') return -value;
  throw new CelFault('type', `cannot negate ${typeName(value)} ${show(value)}`);
}

function binary(op: string, left: CelValue, right: CelValue, evaluation: Evaluation): CelValue {
  switch (op) {
    case '==':
      return equals(left, right);
    case '!=':
      return !equals(left, right);
    case '<':
      return compare(left, right) < 0;
    case '<=':
      return compare(left, right) <= 0;
    case '>':
      return compare(left, right) > 0;
    case '>=':
      return compare(left, right) >= 0;
    case 'in':
      return isIn(left, right, evaluation.budget);
    case '+':
      return add(left, right, evaluation);
    default:
      return arithmetic(op, left, right);
  }
}

function add(left: CelValue, right: CelValue, evaluation: Evaluation): CelValue {
  const a = left instanceof RawText ? left.text : left;
  const b = right instanceof RawText ? right.text : right;
  if (typeof a === 'string' && typeof b === 'string') {
    checkBuilt(evaluation.budget, a.length + b.length);
    return a + b;
  }
  if (isList(a) && isList(b)) {
    checkBuiltList(evaluation.budget, a.length + b.length);
    return [...a, ...b];
  }
  if (typeof a === 'string' || typeof b === 'string') {
    throw new CelFault(
      'type',
      `cannot add ${typeName(a)} ${show(a)} and ${typeName(b)} ${show(b)}`,
      'convert with string(…), int(…) or double(…)',
    );
  }
  return arithmetic('+', a, b);
}

/** int ∘ int stays int (`10 / 4` is 2), a double on either side makes a double. */
function arithmetic(op: string, left: CelValue, right: CelValue): CelValue {
  if (typeof left === 'bigint' && typeof right === 'bigint') {
    if (right === 0n && (op === '/' || op === '%')) throw new CelFault('value', 'division by zero');
    switch (op) {
      case '+':
        return checkInt(left + right);
      case '-':
        return checkInt(left - right);
      case '*':
        return checkInt(left * right);
      case '/':
        return checkInt(left / right);
      default:
        return left % right;
    }
  }
  if ((typeof left !== 'bigint' && typeof left !== 'number') || (typeof right !== 'bigint' && typeof right !== 'number')) {
    throw new CelFault('type', `cannot compute ${typeName(left)} ${show(left)} ${op} ${typeName(right)} ${show(right)}`);
  }
  const [a, b] = [Number(left), Number(right)];
  switch (op) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      if (b === 0) throw new CelFault('value', 'division by zero');
      return a / b;
    default:
      if (b === 0) throw new CelFault('value', 'division by zero');
      return a % b;
  }
}

function fault(code: ExpressionCode, message: string, ast: Ast, text: string, hint?: string): ExpressionError {
  return new ExpressionError(
    { code, message, offset: ast.start, length: Math.max(1, ast.end - ast.start), ...(hint === undefined ? {} : { hint }) },
    text,
  );
}
