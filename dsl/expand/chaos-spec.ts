import type { ChaosSpec, CommandSpec } from '../model/plan.ts';
import type { VerifyDefinition } from '../model/suite.ts';
import { commandTitle, DEFAULT_MAX_PARALLEL, mergeEnv, mergeInputs, NO_HOOKS, NO_RETRY } from './command-spec.ts';
import type { SpecOptions, SpecSource } from './command-spec.ts';
import { ExpandError } from './expand-error.ts';

/**
 * Merges a chaos definition with defaults, the testcase's env and the step's overrides. Nothing is rendered.
 * Throws ExpandError `UNKNOWN_CHAOS`, `MISSING_INPUT` or `UNKNOWN_INPUT`; a compiled plan never does.
 */
export function chaosSpec(source: SpecSource, name: string, options: SpecOptions = {}): ChaosSpec {
  const definition = source.definitions.chaos[name];
  if (!definition) throw new ExpandError('UNKNOWN_CHAOS', `there is no chaos "${name}"`);
  const { context } = source;
  const overrides = options.overrides ?? {};
  const nodes = overrides.nodes ?? definition.nodes;
  const cwd = overrides.cwd ?? definition.cwd ?? context.defaults.cwd;
  const user = definition.user ?? context.defaults.user;
  const title = definition.description ?? name;
  const durationMs = overrides.durationMs ?? definition.durationMs;
  return {
    name,
    title,
    inject: {
      name,
      title,
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
      inputs: mergeInputs(`chaos "${name}"`, definition.inputs, { ...definition.with, ...options.with }, definition.with),
      expect: {},
      outputs: {},
      // Injected once: a second injection of the same fault would hide that the first had failed.
      retry: NO_RETRY,
      timeoutMs: overrides.timeoutMs ?? definition.timeoutMs ?? context.defaults.timeoutMs,
      maxParallel: DEFAULT_MAX_PARALLEL,
      hooks: NO_HOOKS,
      location: definition.location,
    },
    ...(definition.verify !== undefined && { verify: definition.verify }),
    ...(definition.recover !== undefined && { recover: definition.recover }),
    irreversible: definition.irreversible,
    ...(definition.trigger !== undefined && { trigger: definition.trigger }),
    ...(definition.fault !== undefined && { fault: definition.fault }),
    ...(durationMs !== undefined && { durationMs }),
    background: overrides.background ?? definition.background,
    hooks: definition.hooks,
    location: definition.location,
  };
}

/** The undo of a chaos as a command with the values of the injection: same env, inputs, user and folder. Absent for an irreversible one. */
export function recoverSpec(source: SpecSource, chaos: ChaosSpec): CommandSpec | undefined {
  const { recover } = chaos;
  if (!recover) return undefined;
  const { cmd: _cmd, file: _file, stdin: _stdin, ...inject } = chaos.inject;
  return {
    ...inject,
    title: `recover: ${commandTitle(recover.cmd, chaos.title)}`,
    run: recover.run,
    ...(recover.cmd !== undefined && { cmd: recover.cmd }),
    ...(recover.file !== undefined && { file: recover.file }),
    options: recover.options ?? {},
    timeoutMs: recover.timeoutMs ?? source.context.defaults.timeoutMs,
  };
}

/** A `verify` (of the effect, or of the undo) as a command with the values of the injection. Its `nodes` is where it looks from, else the faulted node itself. */
export function verifySpec(source: SpecSource, chaos: ChaosSpec, verify: VerifyDefinition): CommandSpec {
  const { cmd: _cmd, file: _file, stdin: _stdin, nodes: _nodes, ...inject } = chaos.inject;
  return {
    ...inject,
    title: `verify: ${commandTitle(verify.cmd, chaos.title)}`,
    run: 'shell',
    cmd: verify.cmd,
    options: {},
    ...(verify.nodes !== undefined && { nodes: verify.nodes }),
    pick: 'all',
    timeoutMs: Math.min(source.context.defaults.timeoutMs, Math.max(verify.withinMs, 1_000)),
  };
}
