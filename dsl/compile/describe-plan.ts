import { chaosSpec, recoverSpec } from '../expand/chaos-spec.ts';
import { commandSpec, commandTitle } from '../expand/command-spec.ts';
import { nodeValue } from '../expand/scope.ts';
import { resolveSpecNodes } from '../expand/select-nodes.ts';
import { ExpandError } from '../expand/expand-error.ts';
import { ExpressionError } from '../expression/cel.ts';
import { formatDuration } from '../expression/duration.ts';
import { SelectorError } from '../expression/selector.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import type { MatcherBlock } from '../model/matcher.ts';
import type { Node } from '../model/node.ts';
import type { Cell, CommandSpec, Need, Plan, PlannedStep, PlannedTestcase } from '../model/plan.ts';
import type { HookDefinition, SampledAssert, WaitCondition } from '../model/suite.ts';
import type { Value, ValueMap } from '../model/value.ts';
import { fillKnown, fillKnownValue } from './fill-known.ts';

/** `plan --json` of suite-language §14: marks known before the run are filled in, secrets never. */
export interface PlanDocument {
  readonly v: 1;
  readonly suite: string;
  readonly seed: number;
  readonly nodes: readonly { readonly name: string; readonly connection: string; readonly host: string; readonly labels: ValueMap }[];
  readonly testcases: readonly DescribedTestcase[];
  readonly warnings: readonly string[];
}

export interface DescribedTestcase {
  readonly id: string;
  readonly params: ValueMap;
  /** Name → selector; absent when nothing is pinned. */
  readonly bind?: { readonly [name: string]: string };
  readonly steps: readonly DescribedStep[];
  readonly assert: readonly DescribedAssert[];
  readonly hooks: { readonly before: readonly string[]; readonly after: readonly string[]; readonly on_fail: readonly string[] };
}

export interface DescribedStep {
  readonly id: string;
  readonly kind: PlannedStep['kind'];
  readonly name: string;
  readonly needs: readonly string[];
  readonly if: string | null;
  /** Names of the nodes that match; the selector's text when only the run can tell. */
  readonly nodes: readonly string[] | string;
  readonly pick: string | number | null;
  readonly cmd: string | readonly string[] | null;
  readonly timeout_ms: number | null;
  /** Further tries. */
  readonly retry: number;
  readonly duration_ms: number | null;
  readonly undo: string | readonly string[] | null;
}

export interface DescribedAssert {
  readonly kind: 'eventually' | 'always' | 'never' | 'within' | 'expr';
  readonly subject: string | null;
  readonly condition: Value;
  readonly window_ms: number | null;
}

export function describePlan(plan: Plan, diagnostics: readonly Diagnostic[] = []): PlanDocument {
  const byName = new Map(plan.testcases.map((testcase) => [testcase.name, testcase]));
  return {
    v: 1,
    suite: plan.suite.name,
    seed: plan.seed,
    nodes: plan.context.nodes.map(({ name, connection, host, labels }) => ({ name, connection, host, labels })),
    testcases: plan.cells.map((cell) => describeTestcase(plan, byName.get(cell.testcase) as PlannedTestcase, cell)),
    warnings: [...diagnostics.filter((each) => each.severity === 'warning').map((each) => each.message), ...faultWarnings(plan)],
  };
}

function describeTestcase(plan: Plan, testcase: PlannedTestcase, cell: Cell): DescribedTestcase {
  const names = (hooks: readonly HookDefinition[]): readonly string[] => hooks.map(hookName);
  return {
    id: cell.id,
    params: cell.params,
    ...(Object.keys(testcase.bind).length > 0 && { bind: testcase.bind }),
    steps: testcase.steps.map((step) => describeStep(plan, testcase, step, cell)),
    assert: describeAsserts(testcase, cell),
    hooks: { before: names(testcase.hooks.before), after: names(testcase.hooks.after), on_fail: names(testcase.hooks.onFail) },
  };
}

function describeStep(plan: Plan, testcase: PlannedTestcase, step: PlannedStep, cell: Cell): DescribedStep {
  const base: DescribedStep = {
    id: step.id,
    kind: step.kind,
    name: step.id,
    needs: step.needs.map(needText),
    if: step.if ?? null,
    nodes: [],
    pick: null,
    cmd: null,
    timeout_ms: null,
    retry: 0,
    duration_ms: null,
    undo: null,
  };
  const known: ValueMap = {
    params: cell.params,
    testcase: { id: cell.id, name: testcase.name, tags: testcase.tags },
    nodes: plan.context.nodes.map(nodeValue),
  };
  switch (step.kind) {
    case 'command': {
      const spec = commandSpec(plan, step.command, { with: step.with, overrides: step.overrides, testcaseEnv: testcase.env });
      return { ...base, ...describeSpec(plan, spec, known), name: spec.name, retry: spec.retry.max };
    }
    case 'chaos': {
      const spec = chaosSpec(plan, step.chaos, { with: step.with, overrides: step.overrides, testcaseEnv: testcase.env });
      const recover = recoverSpec(plan, spec);
      return {
        ...base,
        ...describeSpec(plan, spec.inject, known),
        name: spec.name,
        duration_ms: spec.durationMs ?? null,
        undo: recover ? describeSpec(plan, recover, known).cmd : null,
      };
    }
    case 'recover':
      return { ...base, name: step.step };
    case 'wait':
      return { ...base, name: conditionText(step.condition), timeout_ms: step.withinMs };
    case 'hold':
      return { ...base, name: conditionText(step.condition), duration_ms: step.forMs ?? null };
    case 'pause':
      return { ...base, name: fillKnown(step.message, known, 'text'), timeout_ms: step.timeoutMs };
    case 'sleep':
      return { ...base, duration_ms: step.durationMs };
    case 'nemesis':
      return { ...base, duration_ms: step.nemesis.durationMs };
    case 'parallel':
      return base;
  }
}

/** Node, command text and limit of a command, with what is known filled in. */
function describeSpec(plan: Plan, spec: CommandSpec, known: ValueMap): Pick<DescribedStep, 'nodes' | 'pick' | 'cmd' | 'timeout_ms'> {
  const nodes = knownNodes(plan, spec, known);
  const [only] = nodes ?? [];
  // An input or variable that still holds a mark is known only in the run.
  const values: { [name: string]: Value } = { ...known, inputs: settled(fillKnownValue(spec.inputs, known) as ValueMap) };
  values['env'] = settled(fillKnownValue(spec.env, values) as ValueMap);
  if (only && nodes?.length === 1) {
    values['node'] = nodeValue(only);
    values['peers'] = plan.context.nodes.filter((node) => node.name !== only.name).map(nodeValue);
  }
  return {
    nodes: nodes?.map((node) => node.name) ?? (spec.nodes as string),
    pick: spec.pick === 'all' ? null : spec.pick,
    cmd:
      spec.cmd === undefined
        ? (spec.file ?? null)
        : typeof spec.cmd === 'string'
          ? fillKnown(spec.cmd, values, 'shell')
          : spec.cmd.map((argument) => fillKnown(argument, values, 'text')),
    timeout_ms: spec.timeoutMs,
  };
}

function settled(map: ValueMap): ValueMap {
  return Object.fromEntries(Object.entries(map).filter(([, value]) => !JSON.stringify(value).includes('${{')));
}

/** Nodes that match, before `pick`; absent when only the run can tell. */
function knownNodes(plan: Plan, spec: CommandSpec, known: ValueMap): readonly Node[] | undefined {
  try {
    return resolveSpecNodes({ ...spec, pick: 'all' }, plan.context, { scope: { values: known }, seed: plan.seed, draw: [] });
  } catch (error) {
    // It names a role, a bind or a step: what matches is decided when it runs.
    if (error instanceof SelectorError || error instanceof ExpressionError || error instanceof ExpandError) return undefined;
    throw error;
  }
}

function describeAsserts(testcase: PlannedTestcase, cell: Cell): readonly DescribedAssert[] {
  const { assert } = testcase;
  const known = { params: cell.params };
  const condition = (match: MatcherBlock): Value => fillKnownValue(match as Value, known);
  const sampled = (kind: 'eventually' | 'always' | 'never', list: readonly SampledAssert[]): DescribedAssert[] =>
    list.map((each) => ({
      kind,
      subject: subjectText(each.subject) ?? testcase.lastCommandStep ?? null,
      condition: condition(each.match),
      window_ms: each.windowMs,
    }));
  return [
    ...sampled('eventually', assert.eventually),
    ...sampled('always', assert.always),
    ...sampled('never', assert.never),
    ...assert.within.map((each): DescribedAssert => ({
      kind: 'within',
      subject: typeof each.until === 'string' ? null : `probe ${each.until.probe}`,
      condition: { from: each.from, until: typeof each.until === 'string' ? each.until : condition(each.until.match) },
      window_ms: each.maxMs,
    })),
    ...assert.expr.map((each): DescribedAssert => ({ kind: 'expr', subject: null, condition: each.expr, window_ms: null })),
  ];
}

/** What a person should know before faults are injected. */
function faultWarnings(plan: Plan): readonly string[] {
  const used = new Set(plan.testcases.flatMap((testcase) => testcase.steps.flatMap((step) => (step.kind === 'chaos' ? [step.chaos] : []))));
  return Object.values(plan.definitions.chaos)
    .filter((chaos) => used.has(chaos.name))
    .flatMap((chaos) => [
      ...(chaos.recover && chaos.recover.run !== 'shell'
        ? [`chaos "${chaos.name}": its recover is run: ${chaos.recover.run}, so no guard on the node can undo it`]
        : []),
      ...(chaos.irreversible && !chaos.recover ? [`chaos "${chaos.name}" is irreversible: nothing undoes it`] : []),
    ]);
}

function hookName(hook: HookDefinition): string {
  return 'use' in hook ? hook.use : (hook.inline.name ?? commandTitle(hook.inline.cmd, hook.inline.run));
}

function needText(need: Need): string {
  return need.moment === 'finished' ? need.step : `${need.step}.${need.moment}`;
}

function subjectText(subject: SampledAssert['subject']): string | undefined {
  if (!subject) return undefined;
  return 'command' in subject ? subject.command : `probe ${subject.probe}`;
}

function conditionText(condition: WaitCondition): string {
  switch (condition.kind) {
    case 'sample':
      return subjectText(condition.subject) as string;
    case 'expr':
      return condition.expr;
    case 'all':
    case 'any':
      return `${condition.kind}(${condition.of.map(conditionText).join(', ')})`;
  }
}

/** The plan for people. */
export function planText(document: PlanDocument): string {
  const lines = [`suite ${document.suite} · seed ${document.seed} · nodes ${document.nodes.map((node) => node.name).join(', ')}`];
  for (const testcase of document.testcases) {
    lines.push('', testcase.id);
    if (testcase.hooks.before.length > 0) lines.push(`  before: ${testcase.hooks.before.join(', ')}`);
    for (const [name, selector] of Object.entries(testcase.bind ?? {})) lines.push(`  bind ${name}: ${selector}`);
    const order = sequenceNeeds(testcase.steps);
    for (const step of testcase.steps) {
      const notes = [
        ...(NAMED.has(step.kind) ? [step.name] : []),
        ...(step.nodes.length > 0
          ? [`on ${typeof step.nodes === 'string' ? step.nodes : step.nodes.join(', ')}${step.pick === null ? '' : ` (pick ${step.pick})`}`]
          : []),
        ...(step.needs.join() === order.get(step.id) ? [] : [step.needs.length === 0 ? 'at once' : `after ${step.needs.join(', ')}`]),
        ...(step.if === null || step.kind === 'parallel' ? [] : [`if ${step.if}`]),
        ...(step.retry > 0 ? [`retry ${step.retry}`] : []),
        ...(step.duration_ms === null ? [] : [`for ${formatDuration(step.duration_ms)}`]),
        ...(step.timeout_ms === null ? [] : [`timeout ${formatDuration(step.timeout_ms)}`]),
      ];
      lines.push(`  ${step.id}  [${step.kind === 'parallel' ? 'join' : step.kind}] ${notes.join(' · ')}`.trimEnd());
      for (const line of commandLines(step.cmd)) lines.push(`      ${line}`);
      for (const line of commandLines(step.undo)) lines.push(`      undo: ${line}`);
    }
    for (const each of testcase.assert) {
      const window = each.window_ms === null ? '' : ` (${formatDuration(each.window_ms)})`;
      const condition = typeof each.condition === 'string' ? each.condition : JSON.stringify(each.condition);
      lines.push(`  assert ${each.kind}${window}: ${each.subject === null ? '' : `${each.subject} `}${condition}`);
    }
    if (testcase.hooks.after.length > 0) lines.push(`  after: ${testcase.hooks.after.join(', ')}`);
    if (testcase.hooks.on_fail.length > 0) lines.push(`  on_fail: ${testcase.hooks.on_fail.join(', ')}`);
  }
  for (const warning of document.warnings) lines.push('', `warning: ${warning}`);
  return lines.join('\n');
}

/** Kinds whose name says what they are about. */
const NAMED: ReadonlySet<DescribedStep['kind']> = new Set(['recover', 'wait', 'hold', 'pause']);

/** The order of a plain list goes without saying. */
function sequenceNeeds(steps: readonly DescribedStep[]): ReadonlyMap<string, string> {
  return new Map(steps.map((step, index) => [step.id, steps[index - 1]?.id ?? '']));
}

function commandLines(cmd: DescribedStep['cmd']): readonly string[] {
  if (cmd === null) return [];
  return typeof cmd === 'string' ? cmd.trimEnd().split('\n') : [JSON.stringify(cmd)];
}
