import type { Node } from '../../dsl/model/node.ts';
import type { Need, Plan, PlannedStep, PlannedTestcase } from '../../dsl/model/plan.ts';
import type {
  AssertDefinition,
  ChaosDefinition,
  CommandDefinition,
  HookDefinition,
  HooksDefinition,
  RetryPolicy,
  RoleDefinition,
} from '../../dsl/model/suite.ts';

/** Plans by hand, for tests of the workflows alone: what the compiler makes is tested elsewhere. */

export const HERE = { file: 'suite.yaml', line: 1, column: 1 };
export const NO_HOOKS: HooksDefinition = { before: [], after: [], onFail: [] };
export const NO_RETRY: RetryPolicy = { max: 0, delayMs: 100, backoff: 1, maxDelayMs: 60_000, when: ['exit_code', 'expect', 'timeout'] };
export const NO_ASSERT: AssertDefinition = { eventually: [], always: [], never: [], within: [], expr: [] };

export function localNode(name: string): Node {
  return { name, connection: 'local', host: 'localhost', labels: {}, vars: {}, connectWithinMs: 5_000 };
}

export function command(cmd: string, extra: Partial<CommandDefinition> = {}): CommandDefinition {
  return { run: 'shell', cmd, inputs: {}, outputs: {}, hooks: NO_HOOKS, location: HERE, ...extra };
}

export function hook(cmd: string): HookDefinition {
  return { inline: command(cmd) };
}

export function hooks(given: { before?: string[]; after?: string[]; onFail?: string[] }): HooksDefinition {
  return {
    before: (given.before ?? []).map(hook),
    after: (given.after ?? []).map(hook),
    onFail: (given.onFail ?? []).map(hook),
  };
}

export function chaos(name: string, cmd: string, recover: string | undefined, extra: Partial<ChaosDefinition> = {}): ChaosDefinition {
  return {
    name,
    run: 'shell',
    cmd,
    inputs: {},
    hooks: NO_HOOKS,
    irreversible: recover === undefined,
    background: false,
    location: HERE,
    ...(recover !== undefined && { recover: { run: 'shell', cmd: recover, withinMs: 120_000 } }),
    ...extra,
  };
}

/** A role asked by a shell command; a node has it when the command exits with 0. */
export function role(name: string, cmd: string, extra: Partial<RoleDefinition> = {}): RoleDefinition {
  return { name, run: 'shell', cmd, match: { exit_code: 0 }, expect: 'one', withinMs: 5_000, location: HERE, ...extra };
}

type StepExtra = Partial<Pick<PlannedStep, 'if' | 'continueOnError' | 'keepStdout'>> & { readonly needs?: readonly string[] };

/** A step without its needs, which {@link testcase} fills in. */
export type Draft = (previous: string | undefined) => PlannedStep;

function common(id: string, extra: StepExtra, previous: string | undefined) {
  const { needs, ...rest } = extra;
  const names = needs ?? (previous === undefined ? [] : [previous]);
  return {
    id,
    needs: names.map((name): Need => {
      const [step, moment] = name.split('.') as [string, ('started' | 'verified' | 'recovered')?];
      return { step, moment: moment ?? 'finished' };
    }),
    continueOnError: false,
    keepStdout: false,
    location: HERE,
    ...rest,
  };
}

/** A command step: shell text, or a definition. */
export function run(id: string, cmd: string | CommandDefinition, extra: StepExtra = {}): Draft {
  return (previous) => ({
    ...common(id, extra, previous),
    kind: 'command',
    command: typeof cmd === 'string' ? command(cmd) : cmd,
    with: {},
    overrides: {},
  });
}

export function inject(id: string, extra: StepExtra = {}): Draft {
  return (previous) => ({ ...common(id, extra, previous), kind: 'chaos', chaos: id, with: {}, overrides: {} });
}

export type OtherStep = PlannedStep extends infer S
  ? S extends { kind: 'recover' | 'wait' | 'sleep' | 'parallel' }
    ? Omit<S, keyof ReturnType<typeof common> | 'if'>
    : never
  : never;

export function other(id: string, step: OtherStep, extra: StepExtra = {}): Draft {
  return (previous) => ({ ...common(id, extra, previous), ...step });
}

export function testcase(name: string, steps: readonly Draft[], extra: Partial<PlannedTestcase> = {}): PlannedTestcase {
  const planned: PlannedStep[] = [];
  for (const draft of steps) planned.push(draft(planned.at(-1)?.id));
  const lastCommandStep = planned.findLast((step) => step.kind === 'command')?.id;
  return {
    name,
    tags: [],
    steps: planned,
    assert: NO_ASSERT,
    ...(lastCommandStep !== undefined && { lastCommandStep }),
    hooks: NO_HOOKS,
    requires: [],
    env: {},
    bind: {},
    probes: [],
    retry: NO_RETRY,
    needs: [],
    locks: [],
    hasChaos: planned.some((step) => step.kind === 'chaos'),
    location: HERE,
    ...extra,
  };
}

export interface PlanParts extends Partial<Omit<Plan, 'testcases' | 'definitions' | 'context'>> {
  readonly testcases: readonly PlannedTestcase[];
  readonly commands?: { readonly [name: string]: CommandDefinition };
  readonly chaos?: readonly ChaosDefinition[];
  readonly nodes?: readonly Node[];
  readonly env?: { readonly [name: string]: string };
  readonly roles?: readonly RoleDefinition[];
  readonly groups?: { readonly [name: string]: string };
}

export function plan(parts: PlanParts): Plan {
  const { testcases, commands = {}, chaos: faults = [], nodes = [localNode('local')], env = {}, roles = [], groups = {}, ...rest } = parts;
  return {
    version: 1,
    suite: { name: 'test suite', slug: 'test%20suite', file: 'suite.yaml', tags: [] },
    digest: '0'.repeat(64),
    seed: 7,
    context: {
      nodes,
      groups,
      env,
      envOverrides: {},
      cluster: 'test',
      defaults: { timeoutMs: 60_000, retry: NO_RETRY, shell: 'sh', sudo: false },
      faults: { nodes: 'all', maxNodes: 1 },
    },
    definitions: {
      commands,
      chaos: Object.fromEntries(faults.map((fault) => [fault.name, fault])),
      probes: {},
      roles: Object.fromEntries(roles.map((each) => [each.name, each])),
    },
    testcases,
    cells: testcases.map((each) => ({ id: each.name, testcase: each.name, params: {} })),
    hooks: NO_HOOKS,
    requires: [],
    strategy: { maxParallel: 1, failFast: false },
    secrets: [],
    ...rest,
  };
}
