import type { Definitions, Plan, PlannedTestcase, PlanSlice } from '../model/plan.ts';
import type { AssertDefinition, HookDefinition, HooksDefinition, WaitCondition } from '../model/suite.ts';
import { ExpandError } from './expand-error.ts';

/** What one testcase child needs of the plan. Throws ExpandError `UNKNOWN_TESTCASE` for a name that the plan does not hold. */
export function slicePlan(plan: Plan, testcaseName: string): PlanSlice {
  const testcase = testcasesByName(plan).get(testcaseName);
  if (!testcase) throw new ExpandError('UNKNOWN_TESTCASE', `the plan has no testcase "${testcaseName}"`);
  return { context: plan.context, definitions: definitionsFor(plan.definitions, testcase), testcase };
}

/** A plan of 10,000 testcases is sliced 10,000 times: the index is made once per plan object. */
const indexes = new WeakMap<Plan, ReadonlyMap<string, PlannedTestcase>>();

function testcasesByName(plan: Plan): ReadonlyMap<string, PlannedTestcase> {
  let index = indexes.get(plan);
  if (!index) {
    index = new Map(plan.testcases.map((testcase) => [testcase.name, testcase]));
    indexes.set(plan, index);
  }
  return index;
}

function definitionsFor(all: Definitions, testcase: PlannedTestcase): Definitions {
  const commands = new Set<string>();
  /** Commands whose own hooks are in; one that was first met as a hook or subject is not. */
  const withHooks = new Set<string>();
  const chaos = new Set<string>();
  const probes = new Set<string>(testcase.probes);
  const addHooks = (hooks: HooksDefinition): void => {
    for (const hook of [...hooks.before, ...hooks.after, ...hooks.onFail]) addHook(hook);
  };
  const addHook = (hook: HookDefinition): void => {
    // Hook commands do not run their own hooks, so their hooks need no definitions.
    if ('use' in hook) commands.add(hook.use);
  };
  const addCommand = (name: string): void => {
    if (withHooks.has(name)) return;
    withHooks.add(name);
    commands.add(name);
    const definition = all.commands[name];
    if (definition) addHooks(definition.hooks);
  };
  const addCondition = (condition: WaitCondition): void => {
    if (condition.kind === 'sample') addSubject(condition.subject);
    else if (condition.kind !== 'expr') condition.of.forEach(addCondition);
  };
  const addSubject = (subject: { readonly command: string } | { readonly probe: string } | undefined): void => {
    if (!subject) return;
    if ('command' in subject) commands.add(subject.command);
    else probes.add(subject.probe);
  };
  const addChaos = (name: string): void => {
    chaos.add(name);
    const definition = all.chaos[name];
    if (!definition) return;
    addHooks(definition.hooks);
    if (definition.trigger?.command !== undefined) commands.add(definition.trigger.command);
    if (definition.trigger?.probe !== undefined) probes.add(definition.trigger.probe);
  };
  const addAssert = (assert: AssertDefinition): void => {
    for (const each of [...assert.eventually, ...assert.always, ...assert.never]) addSubject(each.subject);
    for (const each of assert.within) if (typeof each.until !== 'string') probes.add(each.until.probe);
  };

  for (const step of testcase.steps) {
    switch (step.kind) {
      case 'command':
        if (typeof step.command === 'string') addCommand(step.command);
        else addHooks(step.command.hooks);
        break;
      case 'chaos':
        addChaos(step.chaos);
        break;
      case 'wait':
      case 'hold':
        addCondition(step.condition);
        break;
      case 'nemesis':
        for (const name of 'library' in step.nemesis.faults ? [] : Object.keys(step.nemesis.faults)) addChaos(name);
        break;
      case 'parallel':
      case 'recover':
      case 'pause':
      case 'sleep':
        break;
    }
  }
  addHooks(testcase.hooks);
  addAssert(testcase.assert);
  for (const name of probes) {
    const definition = all.probes[name];
    if (definition) addHooks(definition.hooks);
  }
  return { commands: only(all.commands, commands), chaos: only(all.chaos, chaos), probes: only(all.probes, probes), roles: all.roles };
}

/** Only these entries, in the order of the definitions, so that the same testcase always has the same slice. */
function only<T>(all: { readonly [name: string]: T }, names: ReadonlySet<string>): { readonly [name: string]: T } {
  const kept: { [name: string]: T } = {};
  const wanted = [...names].filter((name) => Object.hasOwn(all, name));
  for (const name of wanted.sort()) kept[name] = all[name] as T;
  return kept;
}
