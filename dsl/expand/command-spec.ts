import type { CommandSpec, Definitions, PlanContext } from '../model/plan.ts';
import type {
  CommandDefinition,
  EnvTemplates,
  HookDefinition,
  HooksDefinition,
  RequirementDefinition,
  RetryPolicy,
  StepOverrides,
} from '../model/suite.ts';
import type { ValueMap } from '../model/value.ts';
import { ExpandError } from './expand-error.ts';

/** The part of a plan, or of its slice, that definitions are merged from. */
export interface SpecSource {
  readonly context: PlanContext;
  readonly definitions: Definitions;
}

export interface SpecOptions {
  /** Inputs given by the step. */
  readonly with?: ValueMap;
  readonly overrides?: StepOverrides;
  readonly testcaseEnv?: EnvTemplates;
}

export const NO_HOOKS: HooksDefinition = { before: [], after: [], onFail: [] };
export const NO_RETRY: RetryPolicy = { max: 0, delayMs: 1_000, backoff: 1, maxDelayMs: 60_000, when: ['exit_code', 'expect', 'timeout'] };
/** Nodes at a time unless `max_parallel` says otherwise. */
export const DEFAULT_MAX_PARALLEL = 16;

/**
 * Merges a command's definition with the context's defaults, the testcase's env and the step's overrides. Nothing is rendered.
 * Throws ExpandError `UNKNOWN_COMMAND`, `MISSING_INPUT` or `UNKNOWN_INPUT`; a compiled plan never does.
 */
export function commandSpec(source: SpecSource, command: string | CommandDefinition, options: SpecOptions = {}): CommandSpec {
  const definition = typeof command === 'string' ? source.definitions.commands[command] : command;
  if (!definition) throw new ExpandError('UNKNOWN_COMMAND', `there is no command "${command as string}"`);
  const { context } = source;
  const overrides = options.overrides ?? {};
  const name = definition.name ?? inlineName(definition);
  const nodes = overrides.nodes ?? definition.nodes;
  const cwd = overrides.cwd ?? definition.cwd ?? context.defaults.cwd;
  const user = definition.user ?? context.defaults.user;
  const cache = overrides.cache === undefined ? definition.cache : overrides.cache === false ? undefined : overrides.cache;
  return {
    name,
    title: definition.description ?? definition.name ?? commandTitle(definition.cmd, name),
    run: definition.run,
    ...(definition.cmd !== undefined && { cmd: definition.cmd }),
    ...(definition.file !== undefined && { file: definition.file }),
    options: definition.options ?? {},
    ...(nodes !== undefined && { nodes }),
    pick: overrides.pick ?? definition.pick ?? 'all',
    env: mergeEnv(context, definition.env, options.testcaseEnv, overrides.env),
    ...(cwd !== undefined && { cwd }),
    ...(definition.stdin !== undefined && { stdin: definition.stdin }),
    shell: definition.shell ?? context.defaults.shell,
    ...(user !== undefined && { user }),
    sudo: definition.sudo ?? context.defaults.sudo,
    inputs: mergeInputs(`command "${name}"`, definition.inputs, { ...definition.with, ...options.with }, definition.with),
    expect: overrides.expect ?? definition.expect ?? {},
    outputs: overrides.outputs ?? definition.outputs,
    retry: overrides.retry ?? definition.retry ?? context.defaults.retry,
    timeoutMs: overrides.timeoutMs ?? definition.timeoutMs ?? context.defaults.timeoutMs,
    maxParallel: definition.maxParallel ?? DEFAULT_MAX_PARALLEL,
    ...(cache !== undefined && { cache }),
    hooks: definition.hooks,
    location: definition.location,
  };
}

/**
 * A hook command: the named or inline command, without hooks of its own (suite-language §9).
 */
export function hookSpec(source: SpecSource, hook: HookDefinition, options: Pick<SpecOptions, 'testcaseEnv'> = {}): CommandSpec {
  return { ...commandSpec(source, 'use' in hook ? hook.use : hook.inline, options), hooks: NO_HOOKS };
}

/** The command of a `requires` entry. */
export function requirementSpec(
  source: SpecSource,
  requirement: RequirementDefinition,
  options: Pick<SpecOptions, 'testcaseEnv'> = {},
): CommandSpec {
  return commandSpec(
    source,
    {
      run: 'shell',
      cmd: requirement.cmd,
      ...(requirement.nodes !== undefined && { nodes: requirement.nodes }),
      description: requirement.msg,
      inputs: {},
      outputs: {},
      retry: NO_RETRY,
      hooks: NO_HOOKS,
      location: requirement.location,
    },
    options,
  );
}

/** The command as the subject of wait, hold and asserts: without its own `expect`, hooks, retry and cache (suite-language §10). */
export function sampleSpec(spec: CommandSpec): CommandSpec {
  const { cache: _cache, ...rest } = spec;
  return { ...rest, expect: {}, outputs: {}, retry: NO_RETRY, hooks: NO_HOOKS };
}

/** Context < command < testcase < step < `--env`; later levels win name by name. */
export function mergeEnv(
  context: PlanContext,
  definition: EnvTemplates | undefined,
  testcase: EnvTemplates | undefined,
  step: EnvTemplates | undefined,
): EnvTemplates {
  return { ...context.env, ...definition, ...testcase, ...step, ...context.envOverrides };
}

/**
 * Defaults overlaid by what was given. A `null` default that nobody gave is MISSING_INPUT; a given name that is not declared is UNKNOWN_INPUT,
 * but for the definition's own `with` (module and python commands), which needs no declaration.
 */
export function mergeInputs(owner: string, defaults: ValueMap, given: ValueMap, undeclared: ValueMap = {}): ValueMap {
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(defaults, name) && !Object.hasOwn(undeclared, name)) {
      throw new ExpandError('UNKNOWN_INPUT', `${owner} has no input "${name}"${knownInputs(defaults)}`);
    }
  }
  const merged = { ...defaults, ...given };
  for (const [name, value] of Object.entries(merged)) {
    if (value === null && !Object.hasOwn(given, name))
      throw new ExpandError('MISSING_INPUT', `${owner} needs the input "${name}": give it by with:`);
  }
  return merged;
}

/** Name of an inline command that has none: what runs it. */
export function inlineName(definition: Pick<CommandDefinition, 'run'>): string {
  return definition.run;
}

/** First line of a command, short enough for a title. */
export function commandTitle(cmd: string | readonly string[] | undefined, fallback: string): string {
  const text = typeof cmd === 'string' ? cmd : (cmd ?? []).join(' ');
  const line = text.trim().split('\n', 1)[0]?.trim() ?? '';
  if (line === '') return fallback;
  return line.length > 80 ? `${line.slice(0, 79)}…` : line;
}

function knownInputs(defaults: ValueMap): string {
  const names = Object.keys(defaults);
  return names.length === 0 ? '; it declares none' : `; it has: ${names.join(', ')}`;
}
