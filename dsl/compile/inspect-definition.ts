import type { Location } from '../model/location.ts';
import type {
  ChaosDefinition,
  CommandDefinition,
  HookDefinition,
  HooksDefinition,
  Invocation,
  ProbeDefinition,
  StepOverrides,
  VerifyDefinition,
} from '../model/suite.ts';
import type { ValueMap } from '../model/value.ts';
import { hasMarks } from '../expression/marks.ts';
import { sqlDialect } from '../expression/sql.ts';
import { rolesOfRole } from '../expand/roles.ts';
import { findCycle } from './check-graph.ts';
import { checkNodes, staticNodes } from './check-selector.ts';
import { inspectCmd, inspectExpression, inspectMap, inspectMatchers, inspectSqlText, inspectTemplate } from './inspect-text.ts';
import type { Inspection, TextUse } from './inspect-text.ts';
import { COMMAND_NAMES, ENGINE_ENV, REDUCE_NAMES, RESULT_NAMES, SELECTOR_NAMES } from './names.ts';
import { unknownName } from './reporter.ts';
import { entry } from './world.ts';
import type { World } from './world.ts';

/** What is known of a definition by itself; found, and its mistakes reported, once however often it is used. */
export interface DefinitionFacts {
  /** How messages name it: `command "show"`. */
  readonly owner: string;
  readonly location: Location;
  /** What its texts read from the place where it is used. `inputs` are checked already. */
  readonly uses: readonly TextUse[];
  /** Variables it adds, with those of the engine. */
  readonly env: readonly string[];
  readonly inputs: ValueMap;
  readonly hooks: readonly { readonly phase: keyof HooksDefinition; readonly facts: DefinitionFacts }[];
}

export function commandFacts(world: World, definition: CommandDefinition): DefinitionFacts {
  const known = world.facts.get(definition);
  if (known) return known;
  const owner = definition.name === undefined ? 'inline command' : `command "${definition.name}"`;
  const to = inspection(world, owner, definition.location);
  checkNodes(world, definition.nodes, definition.pick, definition.location, owner, 'nodes');
  inspectInvocation(definition, to);
  inspectMatchers(definition.expect, 'expect', COMMAND_NAMES, RESULT_NAMES, to);
  inspectOutputs(definition.outputs, to);
  if (definition.expect?.all_equal !== undefined && (definition.retry?.max ?? world.context.defaults.retry.max) > 0) {
    refuseAllEqual(world, owner, definition.location);
  }
  if (definition.cache?.key !== undefined) inspectTemplate(definition.cache.key, 'cache.key', COMMAND_NAMES, to);
  return keep(world, definition, {
    owner,
    location: definition.location,
    uses: ownInputs(world, owner, definition, to.uses),
    env: [...ENGINE_ENV, ...Object.keys(definition.env ?? {})],
    inputs: definition.inputs,
    hooks: hookFacts(world, definition.hooks, owner),
  });
}

export function chaosFacts(world: World, definition: ChaosDefinition): DefinitionFacts {
  const known = world.facts.get(definition);
  if (known) return known;
  const owner = `chaos "${definition.name}"`;
  const to = inspection(world, owner, definition.location);
  checkNodes(world, definition.nodes, definition.pick, definition.location, owner, 'nodes');
  inspectInvocation(definition, to);
  inspectMap(definition.fault?.options, `fault.${definition.fault?.kind}`, COMMAND_NAMES, to);
  inspectVerify(world, definition.verify, 'verify', owner, definition.location, to);
  const { recover } = definition;
  if (recover) {
    if (recover.cmd !== undefined) inspectCmd(recover.cmd, 'recover.cmd', COMMAND_NAMES, to);
    inspectMap(recover.options, 'recover', COMMAND_NAMES, to);
    inspectVerify(world, recover.verify, 'recover.verify', owner, definition.location, to);
  } else if (!definition.irreversible && !definition.fault) {
    world.reporter.error('SUITE_UNDO_MISSING', definition.location, `${owner} has no recover:`, {
      hint: 'write how it is undone, or irreversible: true when nothing can undo it',
    });
  }
  if (definition.background && definition.durationMs === undefined) {
    world.reporter.warning('SUITE_NO_EFFECT', definition.location, `${owner}: background has a meaning only together with duration`);
  }
  inspectMatchers(definition.trigger?.match, 'trigger', COMMAND_NAMES, RESULT_NAMES, to);
  checkSubject(world, definition.trigger, owner, definition.location);
  return keep(world, definition, {
    owner,
    location: definition.location,
    uses: ownInputs(world, owner, definition, to.uses),
    env: [...ENGINE_ENV, ...Object.keys(definition.env ?? {})],
    inputs: definition.inputs,
    hooks: hookFacts(world, definition.hooks, owner),
  });
}

export function probeFacts(world: World, definition: ProbeDefinition): DefinitionFacts {
  const known = world.facts.get(definition);
  if (known) return known;
  const owner = `probe "${definition.name}"`;
  const to = inspection(world, owner, definition.location);
  checkNodes(world, definition.nodes, definition.pick, definition.location, owner, 'nodes');
  inspectInvocation(definition as unknown as Invocation, to);
  inspectMatchers(definition.expect, 'expect', COMMAND_NAMES, RESULT_NAMES, to);
  inspectOutputs(definition.outputs, to);
  if (definition.value !== undefined) inspectExpression(definition.value, 'value', RESULT_NAMES, to);
  if (definition.reduce !== undefined) inspectExpression(definition.reduce, 'reduce', REDUCE_NAMES, to);
  inspectMap(definition.write, 'write', new Set([...COMMAND_NAMES, 'n', 'row']), to);
  inspectMap(definition.read, 'read', COMMAND_NAMES, to);
  return keep(world, definition, {
    owner,
    location: definition.location,
    uses: ownInputs(world, owner, definition, to.uses),
    env: [...ENGINE_ENV, ...Object.keys(definition.env ?? {})],
    inputs: definition.inputs,
    hooks: hookFacts(world, definition.hooks, owner),
  });
}

/** Roles are asked for every testcase alike: their texts may read nothing of one. */
export function checkRoles(world: World): void {
  const names = new Set(['env', 'node', 'nodes', 'peers', 'run', 'params']);
  for (const role of Object.values(world.definitions.roles)) {
    const owner = `role "${role.name}"`;
    const to = inspection(world, owner, role.location);
    inspectInvocation(role, to, names, ROLE_SELECTOR_NAMES);
    inspectMatchers(role.match, 'match', names, RESULT_NAMES, to);
    const nodes = checkNodes(world, role.nodes ?? 'all', undefined, role.location, owner, 'nodes');
    if (typeof role.expect === 'number' && role.expect > nodes.length && world.hasAllNodes) {
      world.reporter.error(
        'SUITE_SELECTOR',
        role.location,
        `${owner}: expect: ${role.expect}, but only ${nodes.length} of the nodes can have it`,
      );
    }
  }
  checkRoleCircles(world);
}

const ROLE_SELECTOR_NAMES: ReadonlySet<string> = new Set(['env', 'nodes', 'run', 'params']);

/** A role may look for its nodes among those of another role, but not round in a circle. */
function checkRoleCircles(world: World): void {
  const { roles } = world.definitions;
  const names = { groups: world.context.groups, roles: Object.keys(roles) };
  const needs = new Map<string, readonly string[]>();
  for (const role of Object.values(roles)) {
    // A selector that cannot be read was reported where it stands.
    if (role.nodes !== undefined && staticNodes(world, role.nodes) !== undefined) needs.set(role.name, rolesOfRole(role, names));
  }
  const path = findCycle(needs);
  const first = path && entry(roles, path[0] as string);
  if (path && first) world.reporter.error('SUITE_CYCLE', first.location, `the roles look for each other: ${path.join(' → ')}`);
}

/** Texts that a step sets again; they see what the definition's texts see. */
export function inspectOverrides(world: World, overrides: StepOverrides, owner: string, location: Location): readonly TextUse[] {
  const to = inspection(world, owner, location);
  if (overrides.nodes !== undefined) inspectTemplate(overrides.nodes, 'nodes', SELECTOR_NAMES, to);
  inspectMap(overrides.env, 'env', COMMAND_NAMES, to, 'whole-mark');
  if (overrides.cwd !== undefined) inspectTemplate(overrides.cwd, 'cwd', COMMAND_NAMES, to);
  inspectMatchers(overrides.expect, 'expect', COMMAND_NAMES, RESULT_NAMES, to);
  if (overrides.outputs) inspectOutputs(overrides.outputs, to);
  return to.uses;
}

export function inspection(world: World, owner: string, location: Location): Inspection {
  return {
    uses: [],
    secrets: world.secrets,
    readings: world.readings,
    problem: (code, path, message, hint) =>
      world.reporter.error(code, location, `${owner}: ${path}: ${message}`, hint === undefined ? {} : { hint }),
  };
}

/** Hooks of a command, chaos, testcase or suite: names resolved, required inputs refused (nothing can give them). */
export function hookFacts(world: World, hooks: HooksDefinition, owner: string): DefinitionFacts['hooks'] {
  if (hooks.before.length === 0 && hooks.after.length === 0 && hooks.onFail.length === 0) return NONE;
  const found: { phase: keyof HooksDefinition; facts: DefinitionFacts }[] = [];
  for (const phase of ['before', 'after', 'onFail'] as const) {
    for (const hook of hooks[phase]) {
      const facts = oneHook(world, hook, owner, phase);
      if (facts) found.push({ phase, facts });
    }
  }
  return found;
}

const NONE: DefinitionFacts['hooks'] = [];

function oneHook(world: World, hook: HookDefinition, owner: string, phase: keyof HooksDefinition): DefinitionFacts | undefined {
  if ('inline' in hook) return commandFacts(world, hook.inline);
  const path = `hooks.${phase === 'onFail' ? 'on_fail' : phase}`;
  const definition = entry(world.definitions.commands, hook.use);
  if (!definition) {
    if (entry(world.definitions.chaos, hook.use)) {
      world.reporter.error('SUITE_UNKNOWN_REFERENCE', hook.location, `${owner}: ${path}: "${hook.use}" is a chaos; a hook is a command`);
      return undefined;
    }
    const { message, hint } = unknownName('command', hook.use, Object.keys(world.definitions.commands));
    world.reporter.error('SUITE_UNKNOWN_REFERENCE', hook.location, `${owner}: ${path}: ${message}`, {
      length: hook.use.length,
      ...(hint !== undefined && { hint }),
    });
    return undefined;
  }
  checkInputs(world, `command "${hook.use}"`, definition.inputs, {}, hook.location, `${owner}: ${path}: `);
  return commandFactsShallow(world, definition);
}

/** Hooks of a hook do not run, and following them could go round in circles. */
function commandFactsShallow(world: World, definition: CommandDefinition): DefinitionFacts {
  const hasHooks = definition.hooks.before.length + definition.hooks.after.length + definition.hooks.onFail.length > 0;
  if (!hasHooks) return commandFacts(world, definition);
  const copy = shallow.get(definition) ?? { ...definition, hooks: { before: [], after: [], onFail: [] } };
  shallow.set(definition, copy);
  return commandFacts(world, copy);
}

const shallow = new WeakMap<CommandDefinition, CommandDefinition>();

/** Given inputs are declared, and required ones are given. */
export function checkInputs(world: World, owner: string, declared: ValueMap, given: ValueMap, location: Location, where = ''): void {
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(declared, name)) continue;
    const { message, hint } = unknownName(`input of ${owner}`, name, Object.keys(declared));
    world.reporter.error(
      'SUITE_UNKNOWN_INPUT',
      location,
      where + message,
      hint === undefined ? { hint: 'it declares no inputs' } : { hint },
    );
  }
  for (const [name, value] of Object.entries(declared)) {
    if (value !== null || Object.hasOwn(given, name)) continue;
    world.reporter.error('SUITE_MISSING_INPUT', location, `${where}${owner} needs the input "${name}"`, {
      hint: `give it by with: { ${name}: … }`,
    });
  }
}

/** `command:` or `probe:` of a trigger, wait, hold or assert. */
export function checkSubject(
  world: World,
  subject: { readonly command?: string; readonly probe?: string } | undefined,
  owner: string,
  location: Location,
): CommandDefinition | undefined {
  if (subject?.command !== undefined) {
    const definition = entry(world.definitions.commands, subject.command);
    if (definition) {
      checkInputs(world, `command "${subject.command}"`, definition.inputs, {}, location, `${owner}: `);
      return definition;
    }
    const { message, hint } = unknownName('command', subject.command, Object.keys(world.definitions.commands));
    world.reporter.error('SUITE_UNKNOWN_REFERENCE', location, `${owner}: ${message}`, hint === undefined ? {} : { hint });
  }
  if (subject?.probe !== undefined && !entry(world.definitions.probes, subject.probe)) {
    const { message, hint } = unknownName('probe', subject.probe, Object.keys(world.definitions.probes));
    world.reporter.error('SUITE_UNKNOWN_REFERENCE', location, `${owner}: ${message}`, hint === undefined ? {} : { hint });
  }
  return undefined;
}

export function refuseAllEqual(world: World, owner: string, location: Location): void {
  world.reporter.error(
    'SUITE_ALL_EQUAL_RETRY',
    location,
    `${owner}: all_equal compares the results of all nodes, so a single node cannot be tried again for it`,
    {
      hint: 'use wait or eventually instead of retry',
    },
  );
}

function inspectInvocation(
  definition: Invocation,
  to: Inspection,
  names: ReadonlySet<string> = COMMAND_NAMES,
  selectorNames: ReadonlySet<string> = SELECTOR_NAMES,
): void {
  if (definition.cmd !== undefined) inspectCmd(definition.cmd, 'cmd', names, to);
  if (definition.file !== undefined) inspectTemplate(definition.file, 'file', names, to);
  inspectMap(definition.options, 'options', names, to, 'whole-mark');
  if (definition.run === 'sql') inspectSql(definition.options, to);
  inspectMap(definition.with, 'with', names, to);
  if (definition.nodes !== undefined) inspectTemplate(definition.nodes, 'nodes', selectorNames, to);
  inspectMap(definition.env, 'env', names, to, 'whole-mark');
  if (definition.cwd !== undefined) inspectTemplate(definition.cwd, 'cwd', names, to);
  if (definition.stdin !== undefined) inspectTemplate(definition.stdin, 'stdin', names, to, 'whole-mark');
  if (definition.user !== undefined) inspectTemplate(definition.user, 'user', names, to);
}

function inspectSql(options: Invocation['options'], to: Inspection): void {
  const { dsn, query } = options ?? {};
  if (typeof query !== 'string') return;
  const text = typeof dsn === 'string' ? dsn : '';
  if (text !== '' && !hasMarks(text) && sqlDialect(text) === undefined) {
    to.problem('SUITE_WRONG_TYPE', 'dsn', 'is not the address of a database', 'write postgres://user@host/db or mysql://user@host/db');
  }
  inspectSqlText(query, 'query', sqlDialect(text) ?? 'postgres', to);
}

function inspectOutputs(outputs: { readonly [name: string]: string }, to: Inspection): void {
  for (const [name, text] of Object.entries(outputs)) inspectExpression(text, `outputs.${name}`, RESULT_NAMES, to);
}

function inspectVerify(
  world: World,
  verify: VerifyDefinition | undefined,
  path: string,
  owner: string,
  location: Location,
  to: Inspection,
): void {
  if (!verify) return;
  inspectCmd(verify.cmd, `${path}.cmd`, COMMAND_NAMES, to);
  if (verify.nodes !== undefined) inspectTemplate(verify.nodes, `${path}.nodes`, SELECTOR_NAMES, to);
  checkNodes(world, verify.nodes, 'all', location, owner, `${path}.nodes`);
  inspectMatchers(verify.match, path, COMMAND_NAMES, RESULT_NAMES, to);
}

/** `inputs.x` is settled by the definition itself: its declared inputs, and the `with` of a module. Returns what is left to check where it is used. */
function ownInputs(
  world: World,
  owner: string,
  definition: { readonly inputs: ValueMap; readonly with?: ValueMap; readonly location: Location },
  uses: readonly TextUse[],
): readonly TextUse[] {
  for (const use of uses) {
    for (const { root, key } of use.members) {
      if (root !== 'inputs' || Object.hasOwn(definition.inputs, key) || Object.hasOwn(definition.with ?? {}, key)) continue;
      const { message, hint } = unknownName('input', key, Object.keys(definition.inputs));
      world.reporter.error(
        'SUITE_UNKNOWN_NAME',
        definition.location,
        `${owner}: ${use.path}: ${message}`,
        hint === undefined ? { hint: 'declare it under inputs:' } : { hint },
      );
    }
  }
  return uses.filter((use) => use.names.size > 1 || !use.names.has('inputs'));
}

function keep(world: World, definition: CommandDefinition | ChaosDefinition | ProbeDefinition, facts: DefinitionFacts): DefinitionFacts {
  world.facts.set(definition, facts);
  return facts;
}
