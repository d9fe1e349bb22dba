import type { PlannedStep, PlannedTestcase } from '../model/plan.ts';
import type { WaitCondition } from '../model/suite.ts';
import { pickedCount, staticNodes } from './check-selector.ts';
import { entry } from './world.ts';
import type { World } from './world.ts';

/** A testcase whose history may grow beyond this is refused (P5: below 4,096, with room for what the estimate cannot see). */
export const MAX_EVENTS = 3_500;
/** Scheduled, started, completed, and the workflow task between: scheduled, started, completed. */
const PER_ACTIVITY = 6;
/** Start of a child, its four signals and its end, with their workflow tasks. */
const PER_FAULT = 24;
const PER_TIMER = 5;
/** Up to this many nodes a step is part of the testcase's history, more are that of a child. */
const WIDE = 16;
/** Start and end of a fan-out child, with their workflow tasks; one child holds 200 nodes. */
const PER_CHILD = 12;
/** Start, hello of the nodes, end, and some signals. */
const BASE = 30;

/** History events of one attempt of a testcase at most, and which steps cause them, largest first. */
export function estimateEvents(
  world: World,
  testcase: PlannedTestcase,
): { readonly events: number; readonly steps: readonly { readonly id: string; readonly events: number }[] } {
  const steps = testcase.steps.map((step) => ({ id: step.id, events: stepEvents(world, step) }));
  const { assert, hooks } = testcase;
  const others =
    BASE +
    PER_ACTIVITY *
      (testcase.requires.length +
        hooks.before.length +
        hooks.after.length +
        hooks.onFail.length +
        assert.eventually.length +
        assert.always.length +
        assert.never.length);
  return {
    events: others + steps.reduce((sum, step) => sum + step.events, 0),
    steps: steps.toSorted((a, b) => b.events - a.events),
  };
}

function stepEvents(world: World, step: PlannedStep): number {
  switch (step.kind) {
    case 'command': {
      const definition = typeof step.command === 'string' ? entry(world.definitions.commands, step.command) : step.command;
      const hooks = definition ? definition.hooks.before.length + definition.hooks.after.length + definition.hooks.onFail.length : 0;
      const { nodes = definition?.nodes, pick = definition?.pick } = step.overrides;
      const count = (staticNodes(world, nodes) ?? world.context.nodes).length;
      return nodeEvents(pickedCount(count, pick)) + PER_ACTIVITY * (hooks + (world.roles.size > 0 ? 1 : 0));
    }
    case 'chaos': {
      const hooks = entry(world.definitions.chaos, step.chaos)?.hooks;
      return PER_FAULT + (hooks ? PER_ACTIVITY * (hooks.before.length + hooks.after.length + hooks.onFail.length) : 0);
    }
    case 'wait':
    case 'hold':
      return PER_ACTIVITY * samplesIn(step.condition) + PER_TIMER;
    case 'sleep':
    case 'pause':
      return PER_TIMER;
    case 'recover':
      return PER_ACTIVITY;
    case 'nemesis':
      return PER_FAULT * Math.ceil(step.nemesis.durationMs / averageInterval(step.nemesis.intervalMs));
    case 'parallel':
      return 0;
  }
}

function nodeEvents(count: number): number {
  return count > WIDE ? PER_CHILD * Math.ceil(count / 200) : PER_ACTIVITY * count;
}

function samplesIn(condition: WaitCondition): number {
  if (condition.kind === 'sample') return 1;
  return condition.kind === 'expr' ? 0 : condition.of.reduce((sum, each) => sum + samplesIn(each), 0);
}

function averageInterval(interval: number | readonly [number, number]): number {
  return Math.max(1, typeof interval === 'number' ? interval : (interval[0] + interval[1]) / 2);
}

/** Reports a testcase that is too large, naming what makes it so. */
export function checkEvents(world: World, testcase: PlannedTestcase): void {
  // The commonest case by far needs no arithmetic.
  if (testcase.steps.length < 20 && world.context.nodes.length < 16) return;
  const { events, steps } = estimateEvents(world, testcase);
  if (events <= MAX_EVENTS) return;
  const largest = steps
    .slice(0, 3)
    .map((step) => `"${step.id}" ${step.events}`)
    .join(', ');
  world.reporter.error(
    'SUITE_TOO_LARGE',
    testcase.location,
    `testcase "${testcase.name}" would write about ${events.toLocaleString('en')} history events in ${steps.length} steps; at most ${MAX_EVENTS.toLocaleString('en')} are allowed`,
    { hint: `largest steps: ${largest}; split the testcase, or do a loop inside one command` },
  );
}
