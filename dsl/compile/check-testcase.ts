import type { Pick } from '../model/node.ts';
import type { PlannedStep } from '../model/plan.ts';
import { stepGraph } from '../expand/step-graph.ts';
import type { StepGraph } from '../expand/step-graph.ts';
import type { Location } from '../model/location.ts';
import type { ValueMap } from '../model/value.ts';
import type { SampledAssert, TestcaseDefinition, WaitCondition } from '../model/suite.ts';
import { rolesInSelector } from '../expand/roles.ts';
import { checkNodes, staticNodes } from './check-selector.ts';
import { checkFacts, checkUses } from './check-uses.ts';
import type { Site, UsePlace } from './check-uses.ts';
import {
  chaosFacts,
  checkInputs,
  checkSubject,
  commandFacts,
  hookFacts,
  inspection,
  inspectOverrides,
  probeFacts,
  refuseAllEqual,
} from './inspect-definition.ts';
import type { DefinitionFacts } from './inspect-definition.ts';
import { inspectCondition } from './inspect-condition.ts';
import { inspectCmd, inspectMap, inspectMatchers, inspectTemplate } from './inspect-text.ts';
import type { TextUse } from './inspect-text.ts';
import { COMMAND_NAMES, RESULT_NAMES, SELECTOR_NAMES, STEP_NAMES, TESTCASE_IF_NAMES, WITH_NAMES } from './names.ts';
import { unknownName } from './reporter.ts';
import { entry } from './world.ts';
import type { World } from './world.ts';

/** What the checks of one testcase found besides mistakes. */
export interface TestcaseFacts {
  readonly keptStdout: ReadonlySet<string>;
  readonly lastCommandStep?: string;
  readonly probes: readonly string[];
  /** Uses of roles, probes and bind. */
  readonly liveUses: readonly TextUse[];
}

/** Everything a testcase's own texts and the definitions it uses read must exist in it. */
export function checkTestcase(
  world: World,
  testcase: TestcaseDefinition,
  steps: readonly PlannedStep[],
  params: ReadonlySet<string>,
): TestcaseFacts {
  const owner = `testcase "${testcase.name}"`;
  let byId: ReadonlyMap<string, PlannedStep> | undefined;
  const site: Site = {
    owner,
    params,
    bind: hasKeys(testcase.bind) ? new Set(Object.keys(testcase.bind)) : NOTHING,
    env: hasKeys(testcase.env) ? new Set([...world.env, ...Object.keys(testcase.env)]) : world.env,
    missing: NOTHING,
    // Most testcases read no step.
    get steps() {
      return (byId ??= new Map(steps.map((step) => [step.id, step])));
    },
    keptStdout: new Set(),
    readProbes: new Set(),
    liveUses: [],
  };
  const isBefore = orderOf(steps);
  for (const step of steps) checkStep(world, site, step, (id) => isBefore(step.id, id));

  const lastCommandStep = steps.findLast((step) => step.kind === 'command')?.id;
  checkAsserts(world, site, testcase, lastCommandStep !== undefined);
  checkOwnTexts(world, site, testcase);
  return {
    // The set is let go when it is empty, as it nearly always is.
    keptStdout: site.keptStdout.size === 0 ? NOTHING : site.keptStdout,
    ...(lastCommandStep !== undefined && { lastCommandStep }),
    probes: probesOf(world, testcase, steps, site.readProbes),
    liveUses: site.liveUses,
  };
}

const NOTHING: ReadonlySet<string> = new Set();
const always = (): boolean => true;
const never = (): boolean => false;

/** Whether a step comes after another; built only when a text reads a step. */
function orderOf(steps: readonly PlannedStep[]): (step: string, other: string) => boolean {
  let graph: StepGraph | undefined;
  const memo = new Map<string, ReadonlySet<string>>();
  return (step, other) => {
    let ancestors = memo.get(step);
    if (!ancestors) {
      graph ??= knownGraph(steps);
      memo.set(step, (ancestors = new Set(graph.ancestors(step))));
    }
    return ancestors.has(other);
  };
}

/** Without needs of steps that were wrong and left out. */
function knownGraph(steps: readonly PlannedStep[]): StepGraph {
  const ids = new Set(steps.map((step) => step.id));
  const whole = steps.every((step) => step.needs.every((need) => ids.has(need.step)));
  return stepGraph(whole ? steps : steps.map((step) => ({ ...step, needs: step.needs.filter((need) => ids.has(need.step)) })));
}

function checkStep(world: World, site: Site, step: PlannedStep, isBefore: (id: string) => boolean): void {
  const owner = `step "${step.id}"`;
  const { location } = step;
  const place: UsePlace = { owner, location, isBefore };
  if (step.if !== undefined && step.kind !== 'parallel') {
    checkUses(
      world,
      site,
      usesIn(world, owner, location, (to) => inspectCondition(step.if as string, 'if', STEP_NAMES, to)),
      place,
    );
  }
  switch (step.kind) {
    case 'command': {
      const definition = typeof step.command === 'string' ? entry(world.definitions.commands, step.command) : step.command;
      if (!definition) return;
      const facts = commandFacts(world, definition);
      checkInvocation(world, site, step, facts, place, definition.pick);
      if (
        step.overrides.expect?.all_equal !== undefined ||
        (step.overrides.retry && (step.overrides.expect ?? definition.expect)?.all_equal)
      ) {
        const retry = step.overrides.retry ?? definition.retry ?? world.context.defaults.retry;
        if (retry.max > 0) refuseAllEqual(world, owner, location);
      }
      return;
    }
    case 'chaos': {
      const definition = entry(world.definitions.chaos, step.chaos);
      if (definition) checkInvocation(world, site, step, chaosFacts(world, definition), place, definition.pick);
      return;
    }
    case 'wait':
    case 'hold':
      checkCondition(world, site, step.condition, step.kind, place);
      return;
    case 'pause':
      checkUses(
        world,
        site,
        usesIn(world, owner, location, (to) => inspectTemplate(step.message, 'pause.message', STEP_NAMES, to)),
        place,
      );
      return;
    case 'nemesis':
      for (const name of 'library' in step.nemesis.faults ? [] : Object.keys(step.nemesis.faults)) {
        const definition = entry(world.definitions.chaos, name);
        if (definition) checkFacts(world, site, chaosFacts(world, definition), place);
        else {
          const { message, hint } = unknownName('chaos', name, Object.keys(world.definitions.chaos));
          world.reporter.error(
            'SUITE_UNKNOWN_REFERENCE',
            location,
            `${owner}: nemesis.faults: ${message}`,
            hint === undefined ? {} : { hint },
          );
        }
      }
      return;
    case 'parallel':
    case 'recover':
    case 'sleep':
      return;
  }
}

function checkInvocation(
  world: World,
  site: Site,
  step: PlannedStep & { readonly kind: 'command' | 'chaos' },
  facts: DefinitionFacts,
  place: UsePlace,
  pick: Pick | undefined,
): void {
  const { overrides, location } = step;
  checkInputs(world, facts.owner, facts.inputs, step.with, location, `${place.owner}: `);
  if (namesInputs(step.with))
    checkUses(
      world,
      site,
      usesIn(world, place.owner, location, (to) => inspectMap(step.with, 'with', WITH_NAMES, to)),
      place,
    );
  const env = overrides.env ? [...facts.env, ...Object.keys(overrides.env)] : facts.env;
  if (hasKeys(overrides)) {
    const uses = inspectOverrides(world, overrides, place.owner, location);
    checkInputNames(world, uses, facts, place);
    checkUses(world, site, uses, { ...place, env });
    if (overrides.nodes !== undefined || overrides.pick !== undefined) {
      checkNodes(world, overrides.nodes, overrides.pick ?? pick, location, place.owner, 'nodes');
    }
  }
  if (facts.uses.length > 0 || facts.hooks.length > 0) {
    checkFacts(world, site, facts, { ...place, env });
  }
}

/** Texts of a step see the inputs of the command that they override. */
function checkInputNames(world: World, uses: readonly TextUse[], facts: DefinitionFacts, place: UsePlace): void {
  for (const use of uses) {
    for (const { root, key } of use.members) {
      if (root !== 'inputs' || Object.hasOwn(facts.inputs, key)) continue;
      const { message, hint } = unknownName(`input of ${facts.owner}`, key, Object.keys(facts.inputs));
      world.reporter.error(
        'SUITE_UNKNOWN_NAME',
        place.location,
        `${place.owner}: ${use.path}: ${message}`,
        hint === undefined ? {} : { hint },
      );
    }
  }
}

function checkCondition(world: World, site: Site, condition: WaitCondition, path: string, place: UsePlace): void {
  switch (condition.kind) {
    case 'expr':
      checkUses(
        world,
        site,
        usesIn(world, place.owner, place.location, (to) => inspectCondition(condition.expr, `${path}.expr`, STEP_NAMES, to)),
        place,
      );
      return;
    case 'sample':
      checkSample(world, site, condition, path, place);
      return;
    case 'all':
    case 'any':
      condition.of.forEach((each, index) => checkCondition(world, site, each, `${path}.${condition.kind}[${index}]`, place));
      return;
  }
}

function checkSample(
  world: World,
  site: Site,
  sample: { readonly subject?: SampledAssert['subject']; readonly match: SampledAssert['match'] },
  path: string,
  place: UsePlace,
): void {
  const { owner, location } = place;
  checkUses(
    world,
    site,
    usesIn(world, owner, location, (to) => inspectMatchers(sample.match, path, COMMAND_NAMES, RESULT_NAMES, to)),
    place,
  );
  const definition = checkSubject(world, sample.subject, `${owner}: ${path}`, location);
  // Its own expect, outputs and hooks do not take part in a sample.
  if (definition) {
    const facts = commandFacts(world, definition);
    const uses = facts.uses.filter((use) => !use.path.startsWith('expect') && !use.path.startsWith('outputs.'));
    checkUses(world, site, uses, { ...place, env: facts.env, definition: facts });
  }
  const probe = sample.subject && 'probe' in sample.subject ? entry(world.definitions.probes, sample.subject.probe) : undefined;
  if (probe) checkFacts(world, site, probeFacts(world, probe), { ...place, isBefore: never });
}

function checkAsserts(world: World, site: Site, testcase: TestcaseDefinition, hasCommand: boolean): void {
  const { assert } = testcase;
  if (!assert) return;
  for (const kind of ['eventually', 'always', 'never'] as const) {
    for (const each of assert[kind]) {
      const place: UsePlace = { owner: site.owner, location: each.location, isBefore: always };
      checkSample(world, site, each, `assert.${kind}`, place);
      if (!each.subject && !hasCommand) {
        world.reporter.error('SUITE_NO_SUBJECT', each.location, `${site.owner}: assert.${kind} has no subject, and no step is a command`, {
          hint: 'name one: command: NAME or probe: NAME',
        });
      }
    }
  }
  for (const each of assert.within) {
    const place: UsePlace = { owner: site.owner, location: each.location, isBefore: always };
    checkMark(world, site, each.from, 'from', each.location);
    if (typeof each.until === 'string') checkMark(world, site, each.until, 'until', each.location);
    else checkSample(world, site, { subject: { probe: each.until.probe }, match: each.until.match }, 'assert.within.until', place);
  }
  for (const each of assert.expr) {
    const uses = usesIn(world, site.owner, each.location, (to) => inspectCondition(each.expr, 'assert.expr', STEP_NAMES, to));
    checkUses(world, site, uses, { owner: site.owner, location: each.location, isBefore: always });
  }
}

/** What the selector matches is known before the run, and the same in it. */
function isSettled(world: World, selector: string): boolean {
  if (staticNodes(world, selector) === undefined) return false;
  return rolesInSelector(selector, { groups: world.context.groups, roles: [...world.roles] }).length === 0;
}

/** `testcase.started` or `<id>.<moment>`. */
function checkMark(world: World, site: Site, mark: string, path: string, location: Location): void {
  if (mark === 'testcase.started') return;
  const dot = mark.lastIndexOf('.');
  const id = mark.slice(0, Math.max(dot, 0));
  const moment = mark.slice(dot + 1);
  const where = `${site.owner}: assert.within.${path}`;
  if (dot === -1 || !['started', 'verified', 'finished', 'recovered'].includes(moment)) {
    world.reporter.error('SUITE_MOMENT', location, `${where}: "${mark}" is no mark`, {
      hint: 'testcase.started, or <step id>.started, .verified, .finished or .recovered',
    });
    return;
  }
  const step = site.steps.get(id);
  if (!step) {
    const { message, hint } = unknownName(`step of ${site.owner}`, id, site.steps.keys());
    world.reporter.error('SUITE_UNKNOWN_REFERENCE', location, `${where}: ${message}`, hint === undefined ? {} : { hint });
  } else if ((moment === 'verified' || moment === 'recovered') && step.kind !== 'chaos') {
    world.reporter.error('SUITE_MOMENT', location, `${where}: "${mark}": only a chaos step is ${moment}, "${id}" is a ${step.kind}`);
  }
}

function checkOwnTexts(world: World, site: Site, testcase: TestcaseDefinition): void {
  const { owner } = site;
  const { location } = testcase;
  const before: UsePlace = { owner, location, isBefore: never };
  if (testcase.if !== undefined) {
    checkUses(
      world,
      site,
      usesIn(world, owner, location, (to) => inspectCondition(testcase.if as string, 'if', TESTCASE_IF_NAMES, to)),
      before,
    );
  }
  if (hasKeys(testcase.env)) {
    // Rendered for each command; steps may be read by those that come after them, which each use decides for itself.
    checkUses(
      world,
      site,
      usesIn(world, owner, location, (to) => inspectMap(testcase.env, 'env', COMMAND_NAMES, to, 'whole-mark')),
      { ...before, isBefore: always },
    );
  }
  for (const [name, selector] of Object.entries(testcase.bind)) {
    const nodes = checkNodes(world, selector, undefined, location, owner, `bind.${name}`);
    if (isSettled(world, selector) && nodes.length > 1) {
      world.reporter.error(
        'SUITE_SELECTOR',
        location,
        `${owner}: bind.${name}: "${selector}" matches ${nodes.length} nodes, it must be exactly one`,
        {
          hint: `take one of them: ${selector}[0] of a group, or a name`,
        },
      );
    }
    checkUses(
      world,
      site,
      usesIn(world, owner, location, (to) => inspectTemplate(selector, `bind.${name}`, SELECTOR_NAMES, to)),
      before,
    );
  }
  for (const requirement of testcase.requires) {
    const uses = usesIn(world, owner, requirement.location, (to) => inspectCmd(requirement.cmd, 'requires.cmd', COMMAND_NAMES, to));
    checkUses(world, site, uses, { ...before, location: requirement.location });
    checkNodes(world, requirement.nodes, undefined, requirement.location, owner, 'requires.nodes');
  }
  for (const { phase, facts } of hookFacts(world, testcase.hooks, owner)) {
    checkFacts(world, site, facts, {
      owner: `a hook of ${owner}`,
      location: facts.location,
      isBefore: phase === 'before' ? never : always,
    });
  }
  for (const name of testcase.probes ?? []) {
    const probe = entry(world.definitions.probes, name);
    if (probe) checkFacts(world, site, probeFacts(world, probe), before);
    else {
      const { message, hint } = unknownName('probe', name, Object.keys(world.definitions.probes));
      world.reporter.error('SUITE_UNKNOWN_REFERENCE', location, `${owner}: probes: ${message}`, hint === undefined ? {} : { hint });
    }
  }
}

/** Those written, else those that steps and asserts name. */
function probesOf(world: World, testcase: TestcaseDefinition, steps: readonly PlannedStep[], read: ReadonlySet<string>): readonly string[] {
  if (testcase.probes) return testcase.probes;
  const names = new Set(read);
  const add = (subject: SampledAssert['subject']): void => {
    if (subject && 'probe' in subject) names.add(subject.probe);
  };
  const visit = (condition: WaitCondition): void => {
    if (condition.kind === 'sample') add(condition.subject);
    else if (condition.kind !== 'expr') condition.of.forEach(visit);
  };
  for (const step of steps) if (step.kind === 'wait' || step.kind === 'hold') visit(step.condition);
  const { assert } = testcase;
  if (assert) {
    for (const each of [...assert.eventually, ...assert.always, ...assert.never]) add(each.subject);
    for (const each of assert.within) if (typeof each.until !== 'string') names.add(each.until.probe);
  }
  return Object.keys(world.definitions.probes).filter((name) => names.has(name));
}

function usesIn(world: World, owner: string, location: Location, inspect: (to: ReturnType<typeof inspection>) => void): readonly TextUse[] {
  const to = inspection(world, owner, location);
  inspect(to);
  return to.uses;
}

/** Plain inputs, the commonest, hold nothing to look at. */
function namesInputs(inputs: ValueMap): boolean {
  for (const name in inputs) {
    const value = inputs[name];
    if (typeof value === 'string' ? value.includes('${{') : typeof value === 'object' && value !== null) return true;
  }
  return false;
}

function hasKeys(map: object): boolean {
  for (const _key in map) return true;
  return false;
}
