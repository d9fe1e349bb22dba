import type { Location } from '../model/location.ts';
import type { Need, PlannedStep, PlannedStepCommon } from '../model/plan.ts';
import type { CommandDefinition, StepDefinition, StepOverrides, TestcaseDefinition } from '../model/suite.ts';
import type { ValueMap } from '../model/value.ts';
import { inlineName } from '../expand/command-spec.ts';
import { checkGraph } from './check-graph.ts';
import { unknownName } from './reporter.ts';
import { entry } from './world.ts';
import type { World } from './world.ts';

/** A step with its id, before its needs are resolved. */
interface Flat {
  readonly definition: StepDefinition;
  readonly id: string;
  /** Written needs, or what it comes after by its place. */
  readonly needs: readonly string[];
  readonly needsWritten: boolean;
  readonly if: string | undefined;
  readonly continueOnError: boolean;
}

/**
 * Steps of a testcase, flat: ids given, `parallel` blocks replaced by their steps and a join behind them, needs resolved.
 * Reports unknown references, double ids, wrong moments, cycles and steps that can never start. A wrong step is left out.
 */
export function planSteps(world: World, testcase: TestcaseDefinition): readonly PlannedStep[] {
  const flat = flatten(world, testcase);
  let known: ReadonlySet<string> | undefined;
  const ids = (): ReadonlySet<string> => (known ??= new Set(flat.map((each) => each.id)));
  const steps: PlannedStep[] = [];
  for (const each of flat) {
    const step = planStep(world, each, ids, testcase);
    if (step) steps.push(step);
  }
  checkGraph(world, testcase, steps);
  return steps;
}

function flatten(world: World, testcase: TestcaseDefinition): readonly Flat[] {
  const taken = writtenIds(world, testcase.steps);
  const defaults = new Map<string, Location>();
  const flat: Flat[] = [];

  const idOf = (definition: StepDefinition): string => {
    if (definition.id !== undefined) return definition.id;
    const { name, isReference } = defaultName(definition);
    const written = taken.get(name);
    // `needs: [a]` must mean one step only: a written id may not be the default id of another one.
    if (written && isReference && !defaults.has(name)) {
      world.reporter.error(
        'SUITE_DUPLICATE_ID',
        written,
        `the id "${name}" is also the default id of the step on line ${definition.location.line}`,
        {
          hint: 'give one of them another id',
        },
      );
    }
    let id = name;
    for (let number = 2; taken.has(id) || defaults.has(id); number++) id = `${name}#${number}`;
    defaults.set(id, definition.location);
    return id;
  };

  /** Returns what a following step comes after. */
  const walk = (list: readonly StepDefinition[], before: readonly string[], sequence: boolean, guard: Guard): readonly string[] => {
    let previous = before;
    const ends: string[] = [];
    for (const definition of list) {
      // A hold watches other steps: nothing waits for it, and by itself it waits for nothing.
      const beside = definition.kind === 'hold' && definition.while !== undefined;
      const needs = definition.needs ?? (beside ? [] : sequence ? previous : before);
      const condition = both(guard.if, definition.if);
      const continueOnError = definition.continueOnError || guard.continueOnError;
      // Steps of a block have the needs of the block, moments and all.
      const needsWritten = definition.needs !== undefined || guard.needsWritten;
      if (definition.kind === 'parallel') {
        const joins = walk(definition.steps, needs, false, {
          ...(condition !== undefined && { if: condition }),
          continueOnError,
          needsWritten,
        });
        const id = idOf(definition);
        // The join itself runs whenever its steps are over; their verdicts count by themselves.
        flat.push({ definition, id, needs: joins, needsWritten: false, if: 'always()', continueOnError });
        previous = [id];
        ends.push(id);
      } else {
        const id = idOf(definition);
        flat.push({ definition, id, needs, needsWritten, if: condition, continueOnError });
        if (!beside) {
          previous = [id];
          ends.push(id);
        }
      }
    }
    return sequence ? previous : ends;
  };
  walk(testcase.steps, [], true, { continueOnError: false, needsWritten: false });
  return flat;
}

/** What a `parallel` block hands to its steps. */
interface Guard {
  readonly if?: string;
  readonly needsWritten: boolean;
  readonly continueOnError: boolean;
}

/** The `if` of a block guards each of its steps. */
function both(outer: string | undefined, inner: string | undefined): string | undefined {
  if (outer === undefined) return inner;
  return inner === undefined ? outer : `(${bare(outer)}) && (${bare(inner)})`;
}

function bare(expression: string): string {
  const trimmed = expression.trim();
  return trimmed.startsWith('${{') && trimmed.endsWith('}}') ? trimmed.slice(3, -2).trim() : expression;
}

function writtenIds(world: World, steps: readonly StepDefinition[]): Map<string, Location> {
  const taken = new Map<string, Location>();
  const visit = (list: readonly StepDefinition[]): void => {
    for (const step of list) {
      if (step.id !== undefined) {
        const first = taken.get(step.id);
        if (first)
          world.reporter.error('SUITE_DUPLICATE_ID', step.location, `the id "${step.id}" is taken by the step on line ${first.line}`);
        else taken.set(step.id, step.location);
      }
      if (step.kind === 'parallel') visit(step.steps);
    }
  };
  visit(steps);
  return taken;
}

/** `isReference`: a name that the suite's author chose and may mean in `needs`. */
function defaultName(step: StepDefinition): { readonly name: string; readonly isReference: boolean } {
  switch (step.kind) {
    case 'use':
      return { name: step.use, isReference: true };
    case 'inline':
      return { name: step.command.name ?? inlineName(step.command), isReference: step.command.name !== undefined };
    case 'parallel':
    case 'recover':
    case 'wait':
    case 'hold':
    case 'pause':
    case 'sleep':
    case 'nemesis':
      return { name: step.kind, isReference: false };
  }
}

function planStep(world: World, flat: Flat, ids: () => ReadonlySet<string>, testcase: TestcaseDefinition): PlannedStep | undefined {
  const { definition: step, id } = flat;
  const common: PlannedStepCommon = {
    id,
    needs: resolveNeeds(world, flat, ids, testcase),
    continueOnError: flat.continueOnError,
    keepStdout: false,
    location: step.location,
  };
  const planned = planKind(world, step, common, ids, testcase);
  return planned && flat.if !== undefined ? { ...planned, if: flat.if } : planned;
}

function planKind(
  world: World,
  step: StepDefinition,
  common: PlannedStepCommon,
  ids: () => ReadonlySet<string>,
  testcase: TestcaseDefinition,
): PlannedStep | undefined {
  switch (step.kind) {
    case 'use':
      return planUse(world, step, common);
    case 'inline':
      return commandStep(common, step.command, step.with ?? NO_INPUTS, NO_INPUTS);
    case 'parallel':
      return { ...common, kind: 'parallel' };
    case 'recover':
      if (knownId(world, step.step, ids, step.location, testcase, 'recover')) return { ...common, kind: 'recover', step: step.step };
      return undefined;
    case 'wait':
      return { ...common, kind: 'wait', condition: step.condition, withinMs: step.withinMs, everyMs: step.everyMs };
    case 'hold': {
      const watched = (step.while ?? []).filter((other) => knownId(world, other, ids, step.location, testcase, 'hold.while'));
      return {
        ...common,
        kind: 'hold',
        condition: step.condition,
        everyMs: step.everyMs,
        while: watched,
        ...(step.forMs !== undefined && { forMs: step.forMs }),
      };
    }
    case 'pause':
      return { ...common, kind: 'pause', message: step.message, timeoutMs: step.timeoutMs };
    case 'sleep':
      return { ...common, kind: 'sleep', durationMs: step.durationMs };
    case 'nemesis':
      return { ...common, kind: 'nemesis', nemesis: step.nemesis };
  }
}

/** Written out, because a spread costs more than everything else about a step, and a suite may have 40,000. */
function commandStep(
  common: PlannedStepCommon,
  command: string | CommandDefinition,
  inputs: ValueMap,
  overrides: StepOverrides,
): PlannedStep & { readonly kind: 'command' } {
  const { id, needs, continueOnError, keepStdout, location } = common;
  return { kind: 'command', id, needs, continueOnError, keepStdout, location, command, with: inputs, overrides };
}

/** Keys that only one of commands and chaos has. */
const COMMAND_ONLY: ReadonlySet<string> = new Set(['retry', 'expect', 'outputs', 'cache']);
const CHAOS_ONLY: { readonly [key: string]: string } = { durationMs: 'duration', background: 'background' };
const NO_INPUTS = {};

function planUse(world: World, step: StepDefinition & { readonly kind: 'use' }, common: PlannedStepCommon): PlannedStep | undefined {
  const { commands, chaos } = world.definitions;
  if (entry(commands, step.use)) {
    for (const key in step.overrides) {
      const written = CHAOS_ONLY[key];
      if (written === undefined) continue;
      world.reporter.error(
        'SUITE_NOT_ALLOWED',
        step.location,
        `step "${common.id}": ${written} has no meaning for a command ("${step.use}" is one)`,
      );
    }
    return commandStep(common, step.use, step.with ?? NO_INPUTS, step.overrides);
  }
  if (entry(chaos, step.use)) {
    for (const key in step.overrides) {
      if (!COMMAND_ONLY.has(key)) continue;
      world.reporter.error(
        'SUITE_NOT_ALLOWED',
        step.location,
        `step "${common.id}": ${key} is not allowed: "${step.use}" is a chaos, which is injected once`,
      );
    }
    return { ...common, kind: 'chaos', chaos: step.use, with: step.with ?? NO_INPUTS, overrides: step.overrides };
  }
  const { message, hint } = unknownName('command or chaos', step.use, [...Object.keys(commands), ...Object.keys(chaos)]);
  world.reporter.error('SUITE_UNKNOWN_REFERENCE', step.location, message, { length: step.use.length, ...(hint !== undefined && { hint }) });
  return undefined;
}

const MOMENTS: ReadonlySet<string> = new Set(['started', 'verified', 'recovered', 'finished']);

function resolveNeeds(world: World, flat: Flat, ids: () => ReadonlySet<string>, testcase: TestcaseDefinition): readonly Need[] {
  // By place: these ids are known.
  if (!flat.needsWritten) return flat.needs.map((step) => ({ step, moment: 'finished' }));
  const needs: Need[] = [];
  for (const text of flat.needs) {
    const dot = text.lastIndexOf('.');
    const step = dot === -1 ? text : text.slice(0, dot);
    const moment = dot === -1 ? 'finished' : text.slice(dot + 1);
    const { location } = flat.definition;
    if (!MOMENTS.has(moment)) {
      world.reporter.error('SUITE_MOMENT', location, `needs: "${text}": "${moment}" is no moment of a step`, {
        hint: 'a, a.started, a.verified or a.recovered',
      });
    } else if (knownId(world, step, ids, location, testcase, 'needs')) needs.push({ step, moment: moment as Need['moment'] });
  }
  return needs;
}

function knownId(
  world: World,
  id: string,
  ids: () => ReadonlySet<string>,
  location: Location,
  testcase: TestcaseDefinition,
  path: string,
): boolean {
  if (ids().has(id)) return true;
  const { message, hint } = unknownName(`step of testcase "${testcase.name}"`, id, ids());
  world.reporter.error('SUITE_UNKNOWN_REFERENCE', location, `${path}: ${message}`, hint === undefined ? {} : { hint });
  return false;
}
