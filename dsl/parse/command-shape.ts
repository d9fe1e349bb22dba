import type {
  CacheDefinition,
  CommandDefinition,
  HookDefinition,
  HooksDefinition,
  ProbeDefinition,
  RequirementDefinition,
  RunType,
} from '../model/suite.ts';
import type { ValueMap } from '../model/value.ts';
import type { Context } from './context.ts';
import type { Decoded } from './object-shape.ts';
import type { Shape } from './shape.ts';
import type { MapNode } from './yaml-node.ts';
import { locate, problem } from './context.ts';
import { field, fieldTo, object, required } from './object-shape.ts';
import { checkRun, maxParallelField, placeFields, retry, RUN_TYPES, runFields, timeoutField } from './run-shape.ts';
import {
  bool,
  cmd,
  expression,
  hookName,
  inputs,
  name,
  outputs,
  positiveDuration,
  selector,
  template,
  withInputs,
} from './scalar-shapes.ts';
import { byKind, lazy, list, oneOf, oneOrList, placeOf, shared, toValueMap } from './shape.ts';
import { matcherBlock } from './matcher-shape.ts';

const NO_HOOKS: HooksDefinition = { before: [], after: [], onFail: [] };

const cacheOn: Shape<CacheDefinition | false> = {
  ...bool,
  decode(node, context, label) {
    const on = bool.decode(node, context, label);
    return on === true ? { files: [], ttlMs: 3_600_000, scope: 'run' } : on;
  },
};

export const cache: Shape<CacheDefinition | false> = shared(
  'cache',
  byKind('true, false, or a map with key, files, ttl, scope', {
    scalar: cacheOn,
    map: object({
      what: 'cache',
      fields: {
        key: field(template, 'What the result depends on; default the resolved text, environment and node.'),
        files: field(oneOrList(template), 'Files whose contents are part of the key.'),
        ttl: fieldTo('ttlMs', positiveDuration, 'How long a result is good; default 1h.'),
        scope: field(oneOf(['run', 'suite']), 'Within one run, or across the runs of the suite; default run.'),
      },
      build: (decoded): CacheDefinition => ({ files: [], ttlMs: 3_600_000, scope: 'run', ...decoded }),
    }),
  }),
);

/** Keys of an inline command: everything but the name's duties. */
const baseFields = {
  ...runFields,
  ...placeFields,
  with: field(withInputs, 'Inputs of a module or python file.'),
  inputs: field(inputs, 'Name and default of each input; null = must be given by with.'),
  expect: field(matcherBlock, 'What must hold for each node; default exit_code 0.'),
  outputs: field(outputs, 'Name and expression of each output, over stdout, stderr, exit_code, json and duration.'),
  retry: field(retry, 'Further tries: a number, or a map.'),
  timeout: timeoutField,
  max_parallel: maxParallelField,
  cache: field(cache, 'Use the result of an earlier execution.'),
};

const hookCommand: Shape<HookDefinition> = object({
  what: 'an inline command of a hook',
  fields: { name: field(name, 'Name in reports.'), description: field(template, 'Title in reports.'), ...baseFields },
  build(decoded, node, context): HookDefinition | undefined {
    const inline = buildCommand(decoded, 'an inline command', node, context);
    return inline && { inline };
  },
});

const hookUse: Shape<HookDefinition> = {
  ...hookName,
  decode(node, context, label) {
    const use = hookName.decode(node, context, label);
    return use === undefined ? undefined : { use, location: locate(context, node.start) };
  },
};

const hook = oneOrList(lazy('hook', 'the name of a command or an inline command', () => anyHook));
const anyHook: Shape<HookDefinition> = byKind('the name of a command, or a map that describes an inline command', {
  scalar: hookUse,
  map: hookCommand,
});

export const hooks: Shape<HooksDefinition> = lazy('hooks', 'a map with before, after, on_fail', () => hooksMap);

const hooksMap: Shape<HooksDefinition> = object({
  what: 'hooks',
  fields: {
    before: field(hook, 'Runs first; when it fails the thing itself does not run: broken.'),
    after: field(hook, 'Always runs last; its failure makes a pass broken.'),
    on_fail: fieldTo('onFail', hook, 'Runs when the verdict is going to be bad; its output is attached.'),
  },
  build: (decoded): HooksDefinition => ({ ...NO_HOOKS, ...decoded }),
});

const hooksField = field(hooks, 'Commands around it: before, after, on_fail.');

export { NO_HOOKS, hooksField };

export const commandFields = { ...baseFields, hooks: hooksField };

type CommandKeys = Omit<Decoded<typeof baseFields>, never> & { name?: string; description?: string; hooks?: HooksDefinition };

/** Defaults and run type checks of a command; `withIsStep` = `with` belongs to the step, not to the command. */
export function buildCommand(
  decoded: CommandKeys,
  what: string,
  node: MapNode,
  context: Context,
  ignore?: string,
): CommandDefinition | undefined {
  const run = decoded.run ?? 'shell';
  if (!checkRun(run, what, node, context, ignore)) return undefined;
  const { cache: cached, ...rest } = decoded;
  return {
    inputs: {},
    outputs: {},
    hooks: NO_HOOKS,
    ...rest,
    ...(cached ? { cache: cached } : {}),
    run,
    location: locate(context, node.start),
  };
}

export const command: Shape<CommandDefinition> = object({
  what: 'a command',
  fields: { name: required(name, 'Name that steps use.'), description: field(template, 'Title in reports.'), ...commandFields },
  build: (decoded, node, context) => buildCommand(decoded, 'a command', node, context),
});

const { retry: _retry, cache: _cache, ...sampledFields } = commandFields;

/** `write` and `read` of a ledger are commands; they are kept as written. */
const ledgerCommand: Shape<ValueMap> = shared(
  'ledgerCommand',
  object({
    what: 'a command of a ledger',
    fields: baseFields,
    build: (decoded, node, context) => (buildCommand(decoded, 'a command of a ledger', node, context) ? toValueMap(node) : undefined),
  }),
);

export const probe: Shape<ProbeDefinition> = object({
  what: 'a probe',
  fields: {
    name: required(name, 'Name that testcases and asserts use.'),
    description: field(template, 'Title in reports.'),
    ...sampledFields,
    run: field(
      oneOf([...RUN_TYPES, 'ledger'] as const),
      'Who executes it; default shell. ledger: numbered writes that are looked for at the end.',
    ),
    every: fieldTo('everyMs', positiveDuration, 'Pace of the samples; default 1s.'),
    timeout: fieldTo('timeoutMs', positiveDuration, 'Limit of a sample; default 1s.'),
    value: field(expression, 'Value of a sample; default the trimmed stdout.'),
    reduce: field(expression, 'One value per round over the results of all nodes.'),
    write: field(ledgerCommand, 'ledger: writes one row.'),
    read: field(ledgerCommand, 'ledger: reads all rows at the end.'),
  },
  build(decoded, node, context): ProbeDefinition | undefined {
    const { run = 'shell', ...rest } = decoded;
    const isLedger = run === 'ledger';
    if (!checkProbe(run, node, context)) return undefined;
    return {
      inputs: {},
      outputs: {},
      hooks: NO_HOOKS,
      everyMs: 1000,
      timeoutMs: 1000,
      ...rest,
      run: isLedger ? 'ledger' : run,
      location: locate(context, node.start),
    };
  },
});

function checkProbe(run: RunType | 'ledger', node: MapNode, context: Context): boolean {
  const has = (key: string): boolean => node.keys.includes(key);
  if (run === 'ledger') {
    const missing = ['write', 'read'].filter((key) => !has(key));
    for (const key of missing) problem(context, 'SUITE_MISSING_KEY', `a probe with run: ledger needs "${key}"`, placeOf(node));
    const odd = ['cmd', 'file', 'expect', 'value'].filter(has);
    for (const key of odd) problem(context, 'SUITE_MISPLACED_KEY', `"${key}" does not belong to run: ledger`, placeOf(node));
    return missing.length + odd.length === 0;
  }
  const odd = ['write', 'read'].filter(has);
  for (const key of odd) problem(context, 'SUITE_MISPLACED_KEY', `"${key}" belongs to run: ledger`, placeOf(node));
  return checkRun(run, 'a probe', node, context) && odd.length === 0;
}

export const requires: Shape<RequirementDefinition[]> = list(
  object({
    what: 'a requirement',
    fields: {
      cmd: required(cmd, 'Exit code 0 = fulfilled.'),
      nodes: field(selector, 'Where it is checked; default the first node.'),
      msg: field(template, 'Reason that is shown when it is not fulfilled.'),
    },
    build(decoded, node, context): RequirementDefinition {
      const shown = typeof decoded.cmd === 'string' ? decoded.cmd.trim() : decoded.cmd.join(' ');
      return { msg: `requirement not met: ${shown}`, ...decoded, location: locate(context, node.start) };
    },
  }),
);
