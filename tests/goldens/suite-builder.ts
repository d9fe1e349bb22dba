import type {
  AssertDefinition,
  ChaosDefinition,
  CommandDefinition,
  HooksDefinition,
  RetryPolicy,
  StepDefinition,
  StepOverrides,
  Suite,
  SuiteContext,
  TestcaseDefinition,
} from '../../dsl/model/suite.ts';
import type { Location } from '../../dsl/model/location.ts';

/** Suites by hand, as the parser would give them: for tests that look at one thing. */

let line = 0;

export function at(): Location {
  line += 1;
  return { file: 'suite.yaml', line, column: 1 };
}

export const noHooks: HooksDefinition = { before: [], after: [], onFail: [] };
export const noAssert: AssertDefinition = { eventually: [], always: [], never: [], within: [], expr: [] };

export function retry(max: number): RetryPolicy {
  return { max, delayMs: 1_000, backoff: 1, maxDelayMs: 60_000, when: ['exit_code', 'expect', 'timeout'] };
}

export function command(
  name: string | undefined,
  cmd: string | readonly string[],
  more: Partial<CommandDefinition> = {},
): CommandDefinition {
  return { ...(name !== undefined && { name }), run: 'shell', cmd, inputs: {}, outputs: {}, hooks: noHooks, location: at(), ...more };
}

export function chaos(name: string, cmd: string, more: Partial<ChaosDefinition> = {}): ChaosDefinition {
  return {
    name,
    run: 'shell',
    cmd,
    inputs: {},
    hooks: noHooks,
    recover: { run: 'shell', cmd: 'true', withinMs: 120_000 },
    irreversible: false,
    background: false,
    location: at(),
    ...more,
  };
}

type Common = { id?: string; needs?: readonly string[]; if?: string; with?: CommandDefinition['inputs']; continueOnError?: boolean };

export function use(name: string, more: Common & { overrides?: StepOverrides } = {}): StepDefinition {
  const { overrides, ...common } = more;
  return { kind: 'use', use: name, overrides: overrides ?? {}, continueOnError: false, location: at(), ...common };
}

export function inline(cmd: string, more: Common & { command?: Partial<CommandDefinition> } = {}): StepDefinition {
  const { command: extra, ...common } = more;
  return { kind: 'inline', command: command(undefined, cmd, extra), continueOnError: false, location: at(), ...common };
}

export function parallel(steps: readonly StepDefinition[], more: Common = {}): StepDefinition {
  return { kind: 'parallel', steps, continueOnError: false, location: at(), ...more };
}

export function recover(step: string, more: Common = {}): StepDefinition {
  return { kind: 'recover', step, continueOnError: false, location: at(), ...more };
}

export function sleep(durationMs: number, more: Common = {}): StepDefinition {
  return { kind: 'sleep', durationMs, continueOnError: false, location: at(), ...more };
}

export function testcase(name: string, steps: readonly StepDefinition[], more: Partial<TestcaseDefinition> = {}): TestcaseDefinition {
  return { name, tags: [], steps, hooks: noHooks, requires: [], env: {}, bind: {}, retry: retry(0), needs: [], location: at(), ...more };
}

export function suite(parts: Omit<Partial<Suite>, 'context'> & { context?: Partial<SuiteContext> }): Suite {
  const { context, ...rest } = parts;
  return {
    name: 'suite',
    file: 'suite.yaml',
    tags: [],
    roles: [],
    commands: [],
    chaos: [],
    probes: [],
    testcases: [],
    hooks: noHooks,
    strategy: { maxParallel: 1, failFast: false },
    requires: [],
    secrets: [],
    ...rest,
    context: { groups: {}, env: {}, params: { axes: [], constants: {} }, defaults: {}, ...context },
  };
}
