import { stepGraph } from '../expand/step-graph.ts';
import type { StepGraph } from '../expand/step-graph.ts';
import type { PlannedStep } from '../model/plan.ts';
import type { TestcaseDefinition } from '../model/suite.ts';
import { pickedCount, staticNodes } from './check-selector.ts';
import { entry } from './world.ts';
import type { World } from './world.ts';

/** Cycles, moments of steps that have none, `recover:` of what is no fault, steps that can never start, too many faults at once. */
export function checkGraph(world: World, testcase: TestcaseDefinition, steps: readonly PlannedStep[]): void {
  const inOrder = isSequence(steps);
  if (inOrder && !steps.some((step) => step.kind === 'chaos' || step.kind === 'recover')) return;
  const byId = new Map(steps.map((step) => [step.id, step]));
  // A need of a step that was left out (and reported) must not be followed.
  const whole = steps.every((step) => step.needs.every((need) => byId.has(need.step)));
  const known = whole ? steps : steps.map((step) => ({ ...step, needs: step.needs.filter((need) => byId.has(need.step)) }));
  if (!inOrder && reportCycle(world, testcase, known)) return;
  const graph = stepGraph(known);
  for (const step of steps) {
    for (const need of step.needs) {
      const target = byId.get(need.step);
      if (!target || need.moment === 'finished') continue;
      if (target.kind === 'nemesis' && need.moment === 'started') continue;
      if (target.kind !== 'chaos') {
        world.reporter.error(
          'SUITE_MOMENT',
          step.location,
          `needs: "${need.step}.${need.moment}": only a chaos step has that moment, "${need.step}" is a ${target.kind}`,
        );
      } else if (need.moment === 'recovered') checkRecovers(world, graph, step, target);
    }
    if (step.kind === 'recover') checkRecover(world, step, byId, graph);
  }
  checkFaultsAtOnce(world, graph);
}

/** Each step needs at most the one before it, so there can be no cycle. */
export function isSequence(steps: readonly PlannedStep[]): boolean {
  return steps.every((step, index) => step.needs.every((need) => need.moment === 'finished' && need.step === steps[index - 1]?.id));
}

/** Prints the first cycle with its path. */
function reportCycle(world: World, testcase: TestcaseDefinition, steps: readonly PlannedStep[]): boolean {
  const path = findCycle(new Map(steps.map((step) => [step.id, step.needs.map((need) => need.step)])));
  if (!path) return false;
  const step = steps.find((each) => each.id === path[0]) as PlannedStep;
  world.reporter.error('SUITE_CYCLE', step.location, `testcase "${testcase.name}": the steps wait for each other: ${path.join(' → ')}`, {
    hint: 'each step needs the one behind the arrow; take one of the needs away',
  });
  return true;
}

/** A path `a → b → a` along needs, `undefined` when there is none. */
export function findCycle(needs: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const done = new Set<string>();
  for (const start of needs.keys()) {
    if (done.has(start)) continue;
    const path: string[] = [start];
    const onPath = new Set(path);
    const cursors = [0];
    while (path.length > 0) {
      const current = path.at(-1) as string;
      const next = (needs.get(current) ?? [])[cursors[cursors.length - 1]!++];
      if (next === undefined) {
        done.add(current);
        onPath.delete(current);
        path.pop();
        cursors.pop();
      } else if (onPath.has(next)) return [...path.slice(path.indexOf(next)), next];
      else if (!done.has(next)) {
        path.push(next);
        onPath.add(next);
        cursors.push(0);
      }
    }
  }
  return undefined;
}

/** Whether the fault of a step is undone by itself while steps still run. */
function endsByItself(world: World, step: PlannedStep & { readonly kind: 'chaos' }): boolean {
  return (step.overrides.durationMs ?? entry(world.definitions.chaos, step.chaos)?.durationMs) !== undefined;
}

function checkRecovers(world: World, graph: StepGraph, step: PlannedStep, target: PlannedStep & { readonly kind: 'chaos' }): void {
  const definition = entry(world.definitions.chaos, target.chaos);
  if (definition?.irreversible && !definition.recover) {
    world.reporter.error(
      'SUITE_NEVER_STARTS',
      step.location,
      `step "${step.id}" can never start: the fault of "${target.id}" is irreversible`,
    );
    return;
  }
  if (endsByItself(world, target)) return;
  const recovering = graph.steps.filter((other) => other.kind === 'recover' && other.step === target.id);
  if (recovering.some((other) => other.id !== step.id && !graph.ancestors(other.id).includes(step.id))) return;
  world.reporter.error(
    'SUITE_NEVER_STARTS',
    step.location,
    `step "${step.id}" can never start: "${target.id}" has no duration and no step recovers it before, so its fault stays until the testcase ends`,
    { hint: `add a step recover: ${target.id}, or a duration` },
  );
}

function checkRecover(
  world: World,
  step: PlannedStep & { readonly kind: 'recover' },
  byId: ReadonlyMap<string, PlannedStep>,
  graph: StepGraph,
): void {
  const target = byId.get(step.step);
  if (!target) return;
  if (target.kind !== 'chaos') {
    world.reporter.error(
      'SUITE_RECOVER',
      step.location,
      `recover: "${step.step}" is a ${target.kind}, and only a chaos step can be recovered`,
    );
    return;
  }
  const definition = entry(world.definitions.chaos, target.chaos);
  if (definition?.irreversible && !definition.recover) {
    world.reporter.error('SUITE_RECOVER', step.location, `recover: the fault of "${step.step}" is irreversible`);
  } else if (!graph.ancestors(step.id).includes(target.id)) {
    world.reporter.error('SUITE_RECOVER', step.location, `recover: "${step.step}" is not before this step, so there may be no fault yet`, {
      hint: `add needs: ${step.step}`,
    });
  }
}

/** Faults that are certainly in effect together on more nodes than `context.faults` allows. */
function checkFaultsAtOnce(world: World, graph: StepGraph): void {
  const { maxNodes } = world.context.faults;
  const lasting: { readonly step: PlannedStep; readonly nodes: readonly string[] }[] = [];
  for (const step of graph.steps) {
    if (step.kind !== 'chaos') continue;
    const nodes = faultedNodes(world, step);
    if (!nodes) continue;
    const ancestors = new Set(graph.ancestors(step.id));
    const recovered = new Set(graph.steps.flatMap((other) => (other.kind === 'recover' && ancestors.has(other.id) ? [other.step] : [])));
    const together = new Set(nodes.known);
    for (const other of lasting)
      if (ancestors.has(other.step.id) && !recovered.has(other.step.id)) for (const name of other.nodes) together.add(name);
    const count = Math.max(nodes.count, together.size);
    if (count > maxNodes) {
      world.reporter.error(
        'SUITE_FAULT_LIMIT',
        step.location,
        `step "${step.id}" would fault ${count} nodes at once, but at most ${maxNodes} may be`,
        {
          hint: 'raise context.faults.max_nodes if that is meant (default: the largest minority), or pick fewer nodes',
        },
      );
    }
    const definition = entry(world.definitions.chaos, step.chaos);
    if (!endsByItself(world, step) && step.if === undefined && definition) lasting.push({ step, nodes: nodes.known });
  }
}

/** `known`: nodes that are faulted for certain; `count`: how many are. Absent when only the run can tell. */
function faultedNodes(
  world: World,
  step: PlannedStep & { readonly kind: 'chaos' },
): { readonly known: readonly string[]; readonly count: number } | undefined {
  const definition = entry(world.definitions.chaos, step.chaos);
  const selector = step.overrides.nodes ?? definition?.nodes;
  const pick = step.overrides.pick ?? definition?.pick;
  if (selector !== undefined && (selector.includes('${{') || [...world.roles].some((role) => selector.includes(role)))) return undefined;
  const nodes = staticNodes(world, selector)?.map((node) => node.name);
  if (!nodes) return undefined;
  const allowed = staticNodes(world, world.context.faults.nodes);
  const outside = nodes.filter((name) => allowed && !allowed.some((node) => node.name === name));
  if (outside.length > 0 && (pick === undefined || pick === 'all')) {
    world.reporter.error(
      'SUITE_FAULT_LIMIT',
      step.location,
      `step "${step.id}" would fault ${outside.join(', ')}, which context.faults.nodes does not allow`,
    );
  }
  const count = pickedCount(nodes.length, pick);
  return { known: count === nodes.length ? nodes : [], count };
}
