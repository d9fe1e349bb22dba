import type { CommandDefinition, NemesisDefinition, StepCommon, StepDefinition, StepOverrides, WaitCondition } from '../model/suite.ts';
import type { Context } from './context.ts';
import type { Shape } from './shape.ts';
import type { Fields } from './object-shape.ts';
import type { MapNode } from './yaml-node.ts';
import { buildCommand, cache, commandFields } from './command-shape.ts';
import { subjectFields, subjectOf, wait } from './condition-shape.ts';
import { keyPlace, locate, problem } from './context.ts';
import { keyHint } from './key-hint.ts';
import { hasMatch, matchFields, matchOf, matcherBlock } from './matcher-shape.ts';
import { field, fieldTo, object, required } from './object-shape.ts';
import { everyField, placeFields, retry, timeoutField } from './run-shape.ts';
import {
  bool,
  duration,
  expression,
  int,
  name,
  numberFrom,
  outputs,
  positiveDuration,
  stepId,
  stepNeed,
  template,
  withInputs,
} from './scalar-shapes.ts';
import { byKind, lazy, list, mapOf, oneOf, oneOrList, placeOf, quote, wrongType } from './shape.ts';
import { nameProblem } from './scalar-shapes.ts';

/** What a step does: exactly one of these keys (`cmd` and `run` together are one inline command). */
const KINDS = ['use', 'cmd', 'run', 'parallel', 'recover', 'wait', 'hold', 'pause', 'sleep', 'nemesis'] as const;

const commonFields = {
  id: field(name, 'Name of the step; default the name used, then name#2, name#3.'),
  needs: field(oneOrList(stepNeed), 'Steps it comes after; default the step before; [] = at once.'),
  if: field(expression, 'Condition; default success(). False = skipped.'),
  with: field(withInputs, 'Inputs of the command or chaos.'),
  continue_on_error: fieldTo('continueOnError', bool, 'A failure is reported, but neither stops other steps nor changes the verdict.'),
};

type Common = Omit<StepCommon, 'location' | 'continueOnError'> & { readonly continueOnError?: boolean };

/** Written out, because this runs for each of some ten thousand steps. */
function common(decoded: Common, node: MapNode, context: Context): StepCommon {
  const step: { -readonly [key in keyof StepCommon]: StepCommon[key] } = {
    continueOnError: decoded.continueOnError === true,
    location: locate(context, node.start),
  };
  if (decoded.id !== undefined) step.id = decoded.id;
  if (decoded.needs !== undefined) step.needs = decoded.needs;
  if (decoded.if !== undefined) step.if = decoded.if;
  if (decoded.with !== undefined) step.with = decoded.with;
  return step;
}

const overrideFields = {
  nodes: placeFields.nodes,
  pick: placeFields.pick,
  env: placeFields.env,
  cwd: placeFields.cwd,
  timeout: timeoutField,
  retry: field(retry, 'Further tries, instead of those of the command.'),
  expect: field(matcherBlock, 'What must hold, instead of what the command expects.'),
  outputs: field(outputs, 'Outputs, instead of those of the command.'),
  cache: field(cache, 'Cache, instead of that of the command.'),
  duration: fieldTo('durationMs', positiveDuration, 'How long the fault is held.'),
  background: field(bool, 'Go on as soon as the effect of the fault is verified.'),
};

const use: Shape<StepDefinition> = object({
  what: 'a step',
  fields: { use: required(name, 'The command or chaos to run.'), ...commonFields, ...inOverrides(overrideFields) },
  build(decoded, node, context): StepDefinition {
    const { overrides = {} } = decoded as { overrides?: StepOverrides };
    return Object.assign(common(decoded, node, context), { kind: 'use', use: decoded.use, overrides } as const);
  },
});

/** The same fields, gathered in `overrides` by their names in the model. */
function inOverrides<F extends Fields>(fields: F): { [K in keyof F]: F[K] & { readonly group: 'overrides' } } {
  const entries = Object.entries(fields).map(([key, value]) => [key, { ...value, group: 'overrides' }]);
  return Object.fromEntries(entries) as { [K in keyof F]: F[K] & { readonly group: 'overrides' } };
}

const inline: Shape<StepDefinition> = object({
  what: 'an inline command',
  fields: {
    ...commonFields,
    ...commandFields,
    ...commonFields,
    name: field(name, 'Name of the command.'),
    description: field(template, 'Title in reports.'),
  },
  build(decoded, node, context): StepDefinition | undefined {
    const { id, needs, if: condition, continueOnError, with: given, ...rest } = decoded;
    // `with` gives a module its inputs, and the inputs of any other inline command.
    const isFile = rest.run === 'module' || rest.run === 'python';
    const command: CommandDefinition | undefined = buildCommand(
      given !== undefined && isFile ? { ...rest, with: given } : rest,
      'an inline command',
      node,
      context,
      'with',
    );
    if (!command) return undefined;
    const own = {
      ...(id === undefined ? {} : { id }),
      ...(needs === undefined ? {} : { needs }),
      ...(condition === undefined ? {} : { if: condition }),
    };
    const shared = {
      ...own,
      ...(continueOnError === undefined ? {} : { continueOnError }),
      ...(given === undefined || isFile ? {} : { with: given }),
    };
    return { ...common(shared, node, context), kind: 'inline', command };
  },
});

/** A step that is no command has the keys of any step, but no inputs. */
const { with: _with, ...plainFields } = commonFields;

const parallel: Shape<StepDefinition> = object({
  what: 'a parallel step',
  fields: {
    parallel: required(
      lazy('steps', 'a list of steps', () => steps),
      'Steps that start together.',
    ),
    ...plainFields,
  },
  build: (decoded, node, context): StepDefinition => ({ ...common(decoded, node, context), kind: 'parallel', steps: decoded.parallel }),
});

const recover: Shape<StepDefinition> = object({
  what: 'a recover step',
  fields: { recover: required(stepId, 'Id of the step whose fault is recovered now.'), ...plainFields },
  build: (decoded, node, context): StepDefinition => ({ ...common(decoded, node, context), kind: 'recover', step: decoded.recover }),
});

const waitStep: Shape<StepDefinition> = object({
  what: 'a wait step',
  fields: { wait: required(wait, 'What is waited for.'), ...plainFields },
  build: (decoded, node, context): StepDefinition => ({ ...common(decoded, node, context), kind: 'wait', ...decoded.wait }),
});

interface Hold {
  readonly condition: WaitCondition;
  readonly everyMs: number;
  readonly while?: readonly string[];
  readonly forMs?: number;
}

const holdMap: Shape<Hold> = object({
  what: 'hold',
  fields: {
    ...subjectFields,
    ...matchFields,
    every: everyField,
    while: field(oneOrList(stepId), 'Steps beside which the condition must hold.'),
    for: fieldTo('forMs', positiveDuration, 'How long the condition must hold.'),
  },
  build(decoded, node, context): Hold | undefined {
    const subject = subjectOf(decoded, 'hold', node, context);
    const { while: beside, forMs, everyMs = 1000 } = decoded;
    if (subject === undefined || !hasMatch(decoded)) {
      const message = subject === undefined ? 'hold needs "command" or "probe"' : 'hold needs a condition, such as contains or lte';
      problem(context, 'SUITE_MISSING_KEY', message, placeOf(node));
      return undefined;
    }
    if ((beside === undefined) === (forMs === undefined)) {
      const code = beside === undefined ? 'SUITE_MISSING_KEY' : 'SUITE_TOO_MANY_KEYS';
      problem(context, code, 'hold needs exactly one of "while" (step ids) and "for" (a duration)', placeOf(node));
      return undefined;
    }
    if (subject === false) return undefined;
    const condition: WaitCondition = { kind: 'sample', subject, match: matchOf(decoded) };
    return { condition, everyMs, ...(beside === undefined ? {} : { while: beside }), ...(forMs === undefined ? {} : { forMs }) };
  },
});

const hold: Shape<StepDefinition> = object({
  what: 'a hold step',
  fields: { hold: required(holdMap, 'What must hold meanwhile.'), ...plainFields },
  build: (decoded, node, context): StepDefinition => ({ ...common(decoded, node, context), kind: 'hold', ...decoded.hold }),
});

const pauseMap = object({
  what: 'pause',
  fields: {
    message: required(template, 'What the person should do before onetear resume.'),
    timeout: fieldTo('timeoutMs', positiveDuration, 'Longest wait; default 1h.'),
  },
  build: (decoded): { message: string; timeoutMs: number } => ({ timeoutMs: 3_600_000, ...decoded }),
});

const pause: Shape<StepDefinition> = object({
  what: 'a pause step',
  fields: { pause: required(pauseMap, 'Waits for onetear resume.'), ...plainFields },
  build: (decoded, node, context): StepDefinition => ({ ...common(decoded, node, context), kind: 'pause', ...decoded.pause }),
});

const sleep: Shape<StepDefinition> = object({
  what: 'a sleep step',
  fields: { sleep: required(duration, 'How long.'), ...plainFields },
  build: (decoded, node, context): StepDefinition => ({ ...common(decoded, node, context), kind: 'sleep', durationMs: decoded.sleep }),
});

const library = byKind('all, or a list of faults of the library', { scalar: oneOf(['all']), seq: list(name) });
const weights = mapOf(numberFrom(0), nameProblem, 'a map from names of chaos to weights');

const intervalShape: Shape<number | [number, number]> = byKind('a duration, or a list of two: the shortest and the longest', {
  scalar: positiveDuration,
  seq: {
    form: 'a list of two durations',
    spec: { type: 'list', of: positiveDuration.spec, length: 2 },
    decode(node, context, label): [number, number] | undefined {
      const bounds = list(positiveDuration).decode(node, context, label);
      if (!bounds) return undefined;
      const [low, high] = bounds;
      if (bounds.length === 2 && low !== undefined && high !== undefined && low <= high) return [low, high];
      return wrongType(node, context, label, 'a list of two durations, the shorter one first');
    },
  },
});

const nemesisMap: Shape<NemesisDefinition> = object({
  what: 'nemesis',
  fields: {
    faults: field(weights, 'Chaos to draw from, with weights.'),
    library: field(library, 'Faults of the library to draw from.'),
    duration: fieldTo('durationMs', positiveDuration, 'How long faults are drawn.'),
    interval: fieldTo('intervalMs', intervalShape, 'Pause between draws; default 10s; two values are a range.'),
    max_active: fieldTo('maxActive', int(1), 'Faults in effect at a time; default 1.'),
  },
  build(decoded, node, context): NemesisDefinition | undefined {
    const { faults, library: from, durationMs, intervalMs = 10_000, maxActive = 1 } = decoded;
    if ((faults === undefined) === (from === undefined)) {
      const code = faults === undefined ? 'SUITE_MISSING_KEY' : 'SUITE_TOO_MANY_KEYS';
      problem(context, code, 'nemesis needs exactly one of "faults" (chaos and weights) and "library"', placeOf(node));
      return undefined;
    }
    if (durationMs === undefined) {
      problem(context, 'SUITE_MISSING_KEY', 'nemesis needs "duration"', placeOf(node));
      return undefined;
    }
    return { faults: faults ?? { library: from ?? 'all' }, durationMs, intervalMs, maxActive };
  },
});

const nemesis: Shape<StepDefinition> = object({
  what: 'a nemesis step',
  fields: { nemesis: required(nemesisMap, 'Draws faults by weight.'), ...plainFields },
  build: (decoded, node, context): StepDefinition => ({ ...common(decoded, node, context), kind: 'nemesis', nemesis: decoded.nemesis }),
});

const SHAPES: { readonly [kind in (typeof KINDS)[number]]: Shape<StepDefinition> } = {
  use,
  cmd: inline,
  run: inline,
  parallel,
  recover,
  wait: waitStep,
  hold,
  pause,
  sleep,
  nemesis,
};

const STEP_FORM =
  'the name of a command or chaos, or a map with one of use, cmd, run, parallel, recover, wait, hold, pause, sleep, nemesis';

const byName: Shape<StepDefinition> = {
  ...name,
  decode(node, context, label) {
    const target = name.decode(node, context, label);
    if (target === undefined) return undefined;
    return { kind: 'use', use: target, overrides: {}, continueOnError: false, location: locate(context, node.start) };
  },
};

const byMap: Shape<StepDefinition> = {
  form: STEP_FORM,
  spec: { type: 'union', of: [use, inline, parallel, recover, waitStep, hold, pause, sleep, nemesis].map((shape) => shape.spec) },
  decode(node, context, label) {
    if (node.kind !== 'map') return wrongType(node, context, label, STEP_FORM);
    let kind: (typeof KINDS)[number] | undefined;
    for (const candidate of KINDS) {
      if (!node.keys.includes(candidate)) continue;
      const isInline = kind === 'cmd' && candidate === 'run';
      if (kind !== undefined && !isInline) {
        const place = keyPlace(context, node.keyStarts[node.keys.indexOf(candidate)] as number, candidate);
        problem(
          context,
          'SUITE_TOO_MANY_KEYS',
          `a step does one thing; this one has "${kind}" and "${candidate}"`,
          place,
          'make it two steps',
        );
        return undefined;
      }
      kind = candidate;
    }
    return kind === undefined ? noKind(node, context) : SHAPES[kind].decode(node, context, label);
  },
};

/** A map without any of the keys that say what the step does: most often one of them is misspelt. */
function noKind(node: MapNode, context: Context): undefined {
  const known = ['id', 'needs', 'if', 'with', 'continue_on_error', ...Object.keys(overrideFields)];
  const index = node.keys.findIndex((key) => !known.includes(key));
  const message = 'a step needs one of use, cmd, run, parallel, recover, wait, hold, pause, sleep, nemesis';
  if (index < 0) {
    problem(context, 'SUITE_MISSING_KEY', message, placeOf(node));
    return undefined;
  }
  const key = node.keys[index] as string;
  const hint = keyHint(key, [...KINDS], 'a step');
  const isGuess = hint.startsWith('did you mean') || node.keys.length > 1;
  problem(
    context,
    'SUITE_UNKNOWN_KEY',
    `unknown key ${quote(key)} in a step; ${message}`,
    keyPlace(context, node.keyStarts[index] as number, key),
    isGuess ? hint : `to run the command ${quote(key)}, write - ${key} or - use: ${key}`,
  );
  return undefined;
}

const anySteps: Shape<StepDefinition[]> = list(
  lazy('step', STEP_FORM, () => step),
  'a list of steps',
);

/** At least one: a testcase in which nothing is tested must not be green. */
export const steps: Shape<StepDefinition[]> = {
  ...anySteps,
  spec: { type: 'list', of: { type: 'ref', id: 'step', get: () => step.spec }, min: 1 },
  decode(node, context, label) {
    if (node.kind !== 'seq' || node.items.length > 0) return anySteps.decode(node, context, label);
    problem(context, 'SUITE_NO_STEPS', `${label} has no steps: nothing is tested`, placeOf(node));
    return undefined;
  },
};

const step: Shape<StepDefinition> = byKind(STEP_FORM, { scalar: byName, map: byMap });
