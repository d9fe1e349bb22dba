import type { ChaosDefinition, RecoverDefinition, RoleDefinition, TriggerDefinition, VerifyDefinition } from '../model/suite.ts';
import type { ValueMap } from '../model/value.ts';
import type { Context } from './context.ts';
import type { Shape } from './shape.ts';
import type { MapNode } from './yaml-node.ts';
import { NO_HOOKS, hooksField } from './command-shape.ts';
import { locate, problem } from './context.ts';
import { hasMatch, matchFields, matchOf, matcherBlock } from './matcher-shape.ts';
import { field, fieldTo, misplacedKey, object, required } from './object-shape.ts';
import { checkRun, everyField, placeFields, runFields, runType, timeoutField, withinField } from './run-shape.ts';
import { bool, cmd, inputs, name, outputText, positiveDuration, selector, template, withInputs } from './scalar-shapes.ts';
import { byKind, oneOf, oneOrList, placeOf, shared } from './shape.ts';
import { int } from './scalar-shapes.ts';

/** `{cmd, nodes, within, every, …M}`: proof that something is in effect. */
const verify: Shape<VerifyDefinition> = shared(
  'verify',
  object({
    what: 'verify',
    fields: {
      cmd: required(cmd, 'Looks at the effect.'),
      nodes: field(selector, 'Where to look; default the nodes of the fault.'),
      within: withinField,
      every: everyField,
      ...matchFields,
    },
    build(decoded): VerifyDefinition {
      const { cmd: text, nodes, withinMs = 10_000, everyMs = 500 } = decoded;
      return { cmd: text, ...(nodes === undefined ? {} : { nodes }), withinMs, everyMs, match: matchOf(decoded) };
    },
  }),
);

const recover: Shape<RecoverDefinition> = object({
  what: 'recover',
  fields: {
    ...runFields,
    run: field(runType, 'Who executes it; default shell. Another one has no guard on the node.'),
    verify: field(verify, 'Proof that the fault is gone.'),
    within: withinField,
    timeout: timeoutField,
  },
  build(decoded, node, context): RecoverDefinition | undefined {
    const run = decoded.run ?? 'shell';
    if (!checkRun(run, '"recover"', node, context)) return undefined;
    return { withinMs: 120_000, ...decoded, run };
  },
});

const logsTrigger = object({
  what: 'logs of a trigger',
  fields: {
    path: field(template, 'File on the node.'),
    unit: field(template, 'Unit of systemd.'),
    container: field(template, 'Name of a container.'),
  },
  build(decoded, node, context): ValueMap | undefined {
    if (Object.keys(decoded).length === 1) return decoded as ValueMap;
    problem(context, 'SUITE_MISSING_KEY', 'logs of a trigger needs one of "path", "unit", "container"', placeOf(node));
    return undefined;
  },
});

const trigger: Shape<TriggerDefinition> = shared(
  'trigger',
  object({
    what: 'trigger',
    fields: {
      command: field(name, 'Command that is sampled.'),
      probe: field(name, 'Probe that is watched.'),
      logs: field(logsTrigger, 'Log that is followed; with matches.'),
      within: withinField,
      every: everyField,
      ...matchFields,
      matches: { ...matchFields.matches, shape: oneOrList(outputText) },
    },
    build(decoded, node, context): TriggerDefinition | undefined {
      const subjects = ['command', 'probe', 'logs'].filter((key) => node.keys.includes(key));
      if (subjects.length !== 1 || !hasMatch(decoded)) {
        const message =
          subjects.length === 1 ? 'trigger needs a condition, such as contains' : 'trigger needs one of "command", "probe", "logs"';
        problem(context, 'SUITE_MISSING_KEY', message, placeOf(node));
        return undefined;
      }
      const { command, probe, logs, withinMs = 60_000, everyMs = 200 } = decoded;
      return {
        ...(command === undefined ? {} : { command }),
        ...(probe === undefined ? {} : { probe }),
        ...(logs === undefined ? {} : { logs }),
        match: matchOf(decoded),
        withinMs,
        everyMs,
      };
    },
  }),
);

const { stdin: _stdin, ...chaosPlace } = placeFields;

const commonFields = {
  name: required(name, 'Name that steps use.'),
  description: field(template, 'Title in reports.'),
  ...chaosPlace,
  inputs: field(inputs, 'Name and default of each input; null = must be given by with.'),
  timeout: timeoutField,
  hooks: hooksField,
  verify: field(verify, 'Proof that the fault is in effect; without it the exit code of cmd is the proof.'),
  irreversible: field(bool, 'Allows a chaos without recover.'),
  trigger: field(trigger, 'Inject when this is first seen.'),
  duration: fieldTo(
    'durationMs',
    positiveDuration,
    'Inject, hold this long, recover. Without it the fault stays until a recover step or the end of the testcase.',
  ),
  background: field(bool, 'With duration: go on with the next step as soon as the effect is verified.'),
};

const ownChaos: Shape<ChaosDefinition> = object({
  what: 'a chaos',
  fields: {
    ...commonFields,
    ...runFields,
    with: field(withInputs, 'Inputs of a module or python file.'),
    recover: field(recover, 'How the fault is undone.'),
  },
  build(decoded, node, context): ChaosDefinition | undefined {
    const run = decoded.run ?? 'shell';
    const isRunGood = checkRun(run, 'a chaos', node, context);
    if (decoded.recover === undefined && decoded.irreversible !== true) {
      const hint = 'write recover: { cmd: … }, or irreversible: true when nothing can be undone';
      problem(context, 'SUITE_MISSING_KEY', 'a chaos needs "recover": how the fault is undone', placeOf(node), hint);
      return undefined;
    }
    return isRunGood ? { ...chaosDefaults(node, context), ...decoded, run } : undefined;
  },
});

const libraryChaos: Shape<ChaosDefinition> = object({
  what: 'a chaos',
  open: 'options',
  fields: { ...commonFields, fault: required(name, 'A fault of the library (onetear faults --library), with its own keys beside it.') },
  build(decoded, node, context): ChaosDefinition | undefined {
    const own = ['cmd', 'recover', 'run', 'file'].filter((key) => node.keys.includes(key));
    for (const key of own) misplacedKey(context, node, key, `"${key}" cannot stand beside "fault": a fault of the library brings its own`);
    if (own.length > 0) return undefined;
    const { fault, options = {}, ...rest } = decoded;
    return { ...chaosDefaults(node, context), ...rest, fault: { kind: fault, options } };
  },
});

function chaosDefaults(node: MapNode, context: Context) {
  return {
    run: 'shell',
    inputs: {},
    hooks: NO_HOOKS,
    irreversible: false,
    background: false,
    location: locate(context, node.start),
  } as const;
}

/** `cmd` with `recover`, or `fault` with its own keys. */
export const chaos: Shape<ChaosDefinition> = {
  form: ownChaos.form,
  spec: { type: 'union', of: [ownChaos.spec, libraryChaos.spec] },
  decode(node, context, label) {
    const isLibrary = node.kind === 'map' && node.keys.includes('fault');
    return (isLibrary ? libraryChaos : ownChaos).decode(node, context, label);
  },
};

/** A role without its name, which is the key of the map of roles. */
export const role: Shape<Omit<RoleDefinition, 'name'>> = object({
  what: 'a role',
  fields: {
    ...runFields,
    with: field(withInputs, 'Inputs of a module or python file.'),
    nodes: field(selector, 'Nodes that are asked; default all.'),
    match: field(matcherBlock, 'A node has the role when this holds; default exit_code 0.'),
    expect: field(
      byKind('one, any, all, or a number of nodes', { scalar: roleCount() }),
      'How many nodes must have the role; default one.',
    ),
    within: withinField,
  },
  build(decoded, node, context): Omit<RoleDefinition, 'name'> | undefined {
    const run = decoded.run ?? 'shell';
    if (!checkRun(run, 'a role', node, context)) return undefined;
    return { match: { exit_code: 0 }, expect: 'one', withinMs: 30_000, ...decoded, run, location: locate(context, node.start) };
  },
});

function roleCount(): Shape<'one' | 'any' | 'all' | number> {
  const words = oneOf(['one', 'any', 'all']);
  const count = int(0);
  return {
    form: 'one, any, all, or a number of nodes',
    spec: { type: 'union', of: [words.spec, count.spec] },
    decode(node, context, label) {
      const isNumber = node.kind === 'scalar' && typeof node.value === 'number';
      return isNumber ? count.decode(node, context, label) : words.decode(node, context, label);
    },
  };
}
