import { analyseExpression } from '../expression/analyse.ts';
import { bareExpression, ExpressionError } from '../expression/cel.ts';
import type { Scope } from '../expression/cel.ts';
import type { Node } from '../model/node.ts';
import type { Cell, CommandSpec, PlanContext, PlannedTestcase } from '../model/plan.ts';
import type { NodeResult, StepResult } from '../model/result.ts';
import type { Value, ValueMap } from '../model/value.ts';
import type { RunInfo } from '../model/workflow-io.ts';
import { mergeEnv } from './command-spec.ts';
import { ExpandError } from './expand-error.ts';
import { renderEnv } from './render-command.ts';

/** What expressions of a testcase may see at one moment. */
export interface ScopeParts {
  readonly run: Pick<RunInfo, 'run' | 'suite' | 'seed' | 'iteration'>;
  readonly context: PlanContext;
  readonly testcase: Pick<PlannedTestcase, 'name' | 'tags' | 'env'>;
  readonly cell: Cell;
  readonly attempt: number;
  /** Steps that have ended so far. */
  readonly steps: Iterable<StepResult>;
  /** Pinned nodes. */
  readonly bind?: { readonly [name: string]: Node };
  /** Answers of the roles that were asked for this moment; others do not exist in it. */
  readonly roles?: { readonly [role: string]: readonly Node[] };
  /** Node the expression is rendered for; absent in `if` and asserts. */
  readonly node?: Node;
}

/**
 * The whole scope: `params env steps bind nodes run testcase`, with answers `roles`, and with a node `node` and `peers` (all other nodes).
 * `env` is what a command of this testcase would get without its own and its step's additions. `inputs` is added by renderCommand.
 * Throws ExpressionError when a mark of the context's or the testcase's env cannot be rendered.
 */
export function buildScope(parts: ScopeParts): ValueMap {
  const nodes = parts.context.nodes.map(nodeValue);
  const values: { [name: string]: Value } = {
    params: parts.cell.params,
    bind: Object.fromEntries(Object.entries(parts.bind ?? {}).map(([name, node]) => [name, nodeValue(node)])),
    ...(parts.roles !== undefined && {
      roles: Object.fromEntries(Object.entries(parts.roles).map(([name, found]) => [name, roleValue(found)])),
    }),
    nodes,
    run: {
      id: parts.run.run,
      suite: parts.run.suite,
      seed: parts.run.seed,
      ...(parts.run.iteration !== undefined && { iteration: parts.run.iteration }),
    },
    testcase: { id: parts.cell.id, name: parts.testcase.name, tags: parts.testcase.tags, attempt: parts.attempt },
    steps: Object.fromEntries([...parts.steps].map((result) => [result.step, stepValue(result)])),
  };
  if (parts.node) {
    const { name } = parts.node;
    values['node'] = nodeValue(parts.node);
    values['peers'] = parts.context.nodes.filter((other) => other.name !== name).map(nodeValue);
  }
  values['env'] = baseEnv(parts.context, parts.testcase.env, values);
  return values;
}

/**
 * A variable that cannot be rendered yet (it names the node, or a step that has not ended) is left out: an expression that reads it
 * then fails by its name, and all others go on.
 */
function baseEnv(context: PlanContext, testcaseEnv: PlannedTestcase['env'], values: ValueMap): ValueMap {
  const env: { [name: string]: string } = {};
  for (const [name, template] of Object.entries(mergeEnv(context, undefined, testcaseEnv, undefined))) {
    try {
      Object.assign(env, renderEnv({ [name]: template }, { values }));
    } catch (error) {
      if (!(error instanceof ExpressionError || error instanceof ExpandError)) throw error;
    }
  }
  return env;
}

/** A role as `roles.<r>`: the fields of its first node, and all of its nodes as `all`. A role that no node has is only `all: []`. */
export function roleValue(nodes: readonly Node[]): ValueMap {
  const [first] = nodes;
  return { ...(first && nodeValue(first)), all: nodes.map(nodeValue) };
}

/** A node as expressions see it. */
export function nodeValue(node: Node): ValueMap {
  return {
    name: node.name,
    host: node.host,
    connection: node.connection,
    ...(node.port !== undefined && { port: node.port }),
    ...(node.user !== undefined && { user: node.user }),
    labels: node.labels,
    vars: node.vars,
  };
}

/**
 * A step as `steps.<id>`: `verdict duration started finished outputs nodes` (seconds; started and finished since the epoch) and, when it ran on
 * exactly one node, that node's `exit_code stdout stderr`. A text that is not whole here is left out: an expression over half an output must be an
 * error, never true or false by chance.
 */
export function stepValue(result: StepResult): ValueMap {
  const nodes: { [name: string]: Value } = {};
  for (const each of result.results) nodes[each.node] = nodeResultValue(each);
  const [only] = result.results;
  return {
    verdict: result.verdict,
    ...(only && result.results.length === 1 ? textsOf(only) : {}),
    duration: (result.finishedAt - result.startedAt) / 1_000,
    started: result.startedAt / 1_000,
    finished: result.finishedAt / 1_000,
    outputs: result.outputs,
    nodes,
  };
}

function nodeResultValue(result: NodeResult): ValueMap {
  return { verdict: result.verdict, ...textsOf(result), duration: result.durationMs / 1_000, outputs: result.outputs };
}

function textsOf(result: NodeResult): ValueMap {
  const stdout = result.fullStdout ?? (result.stdout.truncated ? undefined : result.stdout.text);
  return {
    exit_code: result.exitCode,
    ...(stdout !== undefined && { stdout }),
    ...(!result.stderr.truncated && { stderr: result.stderr.text }),
  };
}

/** Only the given top-level names of a scope: what travels with an activity. Names that the scope lacks are left out. */
export function scopeFor(names: Iterable<string>, full: ValueMap): ValueMap {
  const values: { [name: string]: Value } = {};
  for (const name of names) {
    const value = full[name];
    if (value !== undefined && Object.hasOwn(full, name)) values[name] = value;
  }
  return values;
}

/** As scopeFor for the names that these expressions use; of `steps` only the steps that they name. */
export function scopeForExpressions(expressions: Iterable<string>, full: ValueMap): ValueMap {
  const names = new Set<string>();
  const steps = new Set<string>();
  let wholeSteps = false;
  for (const text of expressions) {
    const used = analyseExpression(bareExpression(text));
    for (const name of used.names) names.add(name);
    // `steps` as a whole or with a computed name: then all of them travel.
    wholeSteps ||= used.anyStep;
    for (const reference of used.steps) steps.add(reference.step);
  }
  const values = scopeFor(names, full);
  if (!names.has('steps') || wholeSteps) return values;
  return { ...values, steps: scopeFor(steps, full['steps'] as ValueMap) };
}

/** Scope of a command's activity: the names its `expect.expr` and `outputs` use, and for a module or python file its whole context. */
export function activityScope(spec: Pick<CommandSpec, 'run' | 'expect' | 'outputs'>, scope: Scope): ValueMap {
  if (spec.run === 'module' || spec.run === 'python') {
    return scopeFor(['node', 'nodes', 'env', 'params', 'inputs', 'steps', 'run', 'testcase', 'bind', 'peers'], scope.values);
  }
  return scopeForExpressions([...(spec.expect.expr ?? []), ...Object.values(spec.outputs)], scope.values);
}
