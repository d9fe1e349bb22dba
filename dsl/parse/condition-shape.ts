import type { AssertDefinition, SampledAssert, WaitCondition, WithinAssert } from '../model/suite.ts';
import type { Context } from './context.ts';
import type { Shape } from './shape.ts';
import type { MapNode } from './yaml-node.ts';
import { locate, problem } from './context.ts';
import { hasMatch, matchFields, matchOf } from './matcher-shape.ts';
import { field, fieldTo, object, required, requiredTo } from './object-shape.ts';
import { everyField, withinField } from './run-shape.ts';
import { expression, name, positiveDuration, timeMark } from './scalar-shapes.ts';
import { byKind, lazy, list, oneOrList, placeOf } from './shape.ts';

type Subject = { readonly command: string } | { readonly probe: string };

export const subjectFields = {
  command: field(name, 'Command that is run for each sample.'),
  probe: field(name, 'Probe whose samples are looked at.'),
};

/** The subject of a condition; `undefined` when none is written. Two are a problem, `false`. */
export function subjectOf(
  decoded: { command?: string; probe?: string },
  what: string,
  node: MapNode,
  context: Context,
): Subject | undefined | false {
  const { command, probe } = decoded;
  if (command !== undefined && probe !== undefined) {
    problem(context, 'SUITE_TOO_MANY_KEYS', `${what} has one subject: "command" or "probe", not both`, placeOf(node));
    return false;
  }
  if (command !== undefined) return { command };
  return probe === undefined ? undefined : { probe };
}

export interface TimedCondition {
  readonly condition: WaitCondition;
  readonly withinMs: number;
  readonly everyMs: number;
}

const timing = { within: withinField, every: everyField };

function sampleShape<T>(
  what: string,
  more: typeof timing | object,
  build: (condition: WaitCondition, decoded: { withinMs?: number; everyMs?: number }) => T,
): Shape<T> {
  return object({
    what,
    fields: { ...subjectFields, ...matchFields, ...more },
    build(decoded, node, context): T | undefined {
      const keys = decoded as { command?: string; probe?: string; withinMs?: number; everyMs?: number };
      const subject = subjectOf(keys, what, node, context);
      return subject ? build({ kind: 'sample', subject, match: matchOf(decoded) }, keys) : undefined;
    },
  });
}

function groupShape<T>(
  what: string,
  more: typeof timing | object,
  build: (condition: WaitCondition, decoded: { withinMs?: number; everyMs?: number }) => T,
): Shape<T> {
  return object({
    what,
    fields: {
      expr: field(expression, 'Condition over the context.'),
      all: field(list(inner), 'All of these hold.'),
      any: field(list(inner), 'At least one of these holds.'),
      ...more,
    },
    build(decoded, node, context): T | undefined {
      const keys = decoded as { expr?: string; all?: WaitCondition[]; any?: WaitCondition[]; withinMs?: number; everyMs?: number };
      const written = (['expr', 'all', 'any'] as const).filter((key) => keys[key] !== undefined);
      const [kind] = written;
      if (kind === undefined || written.length > 1) {
        const code = kind === undefined ? 'SUITE_MISSING_KEY' : 'SUITE_TOO_MANY_KEYS';
        problem(context, code, `${what} needs exactly one of "command", "probe", "expr", "all", "any"`, placeOf(node));
        return undefined;
      }
      if (kind === 'expr') return build({ kind: 'expr', expr: keys.expr as string }, keys);
      const of = keys[kind] as WaitCondition[];
      if (of.length > 0) return build({ kind, of }, keys);
      problem(context, 'SUITE_WRONG_TYPE', `"${kind}" must be a list with at least one condition`, placeOf(node));
      return undefined;
    },
  });
}

/** A condition with a subject has the keys of a matcher block, in which `all`, `any` and `expr` mean something else. */
function conditionShape<T>(form: string, sample: Shape<T>, group: Shape<T>): Shape<T> {
  return {
    form,
    spec: { type: 'union', of: [sample.spec, group.spec] },
    decode(node, context, label) {
      const hasSubject = node.kind === 'map' && (node.keys.includes('command') || node.keys.includes('probe'));
      return (hasSubject ? sample : group).decode(node, context, label);
    },
  };
}

const CONDITION_FORM = 'a map with command, probe, expr, all or any';
const inner: Shape<WaitCondition> = lazy('condition', CONDITION_FORM, () => bareCondition);
const bareCondition = conditionShape(
  CONDITION_FORM,
  sampleShape('a condition', {}, (condition) => condition),
  groupShape('a condition', {}, (condition) => condition),
);

function timed(condition: WaitCondition, { withinMs = 60_000, everyMs = 1000 }: { withinMs?: number; everyMs?: number }): TimedCondition {
  return { condition, withinMs, everyMs };
}

export const wait: Shape<TimedCondition> = conditionShape(
  CONDITION_FORM,
  sampleShape('wait', timing, timed),
  groupShape('wait', timing, timed),
);

function sampled(what: string, windowKey: 'within' | 'for', defaultMs: number, doc: string, needsMatch: boolean): Shape<SampledAssert> {
  return object({
    what,
    fields: { ...subjectFields, ...matchFields, [windowKey]: fieldTo('windowMs', positiveDuration, doc), every: everyField },
    build(decoded, node, context): SampledAssert | undefined {
      const keys = decoded as { command?: string; probe?: string; windowMs?: number; everyMs?: number };
      const subject = subjectOf(keys, what, node, context);
      if (subject === false) return undefined;
      if (needsMatch && !hasMatch(decoded)) {
        problem(context, 'SUITE_MISSING_KEY', `${what} needs at least one condition, such as contains`, placeOf(node));
        return undefined;
      }
      const { windowMs = defaultMs, everyMs = 1000 } = keys;
      return { ...(subject ? { subject } : {}), match: matchOf(decoded), windowMs, everyMs, location: locate(context, node.start) };
    },
  });
}

const probeCondition = object({
  what: '"until"',
  fields: { probe: required(name, 'Probe whose first sample that fulfils the condition ends the time.'), ...matchFields },
  build: (decoded): { probe: string; match: ReturnType<typeof matchOf> } => ({ probe: decoded.probe, match: matchOf(decoded) }),
});

const within: Shape<WithinAssert> = object({
  what: 'within',
  fields: {
    from: required(timeMark, 'Mark where the time starts, such as kill.started.'),
    until: required(
      byKind('a mark in time, or a map with probe and conditions', { scalar: timeMark, map: probeCondition }),
      'Mark, or condition on a probe, where it ends.',
    ),
    max: requiredTo('maxMs', positiveDuration, 'Longest time allowed.'),
  },
  build: (decoded, node, context): WithinAssert => ({ ...decoded, location: locate(context, node.start) }),
});

const locatedExpression: Shape<AssertDefinition['expr'][number]> = {
  ...expression,
  decode(node, context, label) {
    const expr = expression.decode(node, context, label);
    return expr === undefined ? undefined : { expr, location: locate(context, node.start) };
  },
};

export const assert: Shape<AssertDefinition> = object({
  what: 'assert',
  fields: {
    eventually: field(
      oneOrList(sampled('eventually', 'within', 60_000, 'How long the condition may take; default 60s.', false)),
      'Holds once.',
    ),
    always: field(oneOrList(sampled('always', 'for', 10_000, 'How long it is watched; default 10s.', false)), 'Holds in every sample.'),
    never: field(
      oneOrList(sampled('never', 'for', 10_000, 'How long it is watched; default 10s.', true)),
      'No written condition holds in any sample.',
    ),
    within: field(oneOrList(within), 'Time from one mark to another.'),
    expr: field(oneOrList(locatedExpression), 'Each is true.'),
  },
  build: (decoded): AssertDefinition => ({ eventually: [], always: [], never: [], within: [], expr: [], ...decoded }),
});
