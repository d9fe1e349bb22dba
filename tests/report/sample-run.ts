import type { JournalEntry } from '../../dsl/model/journal.ts';
import type { Cell, Plan, PlannedTestcase } from '../../dsl/model/plan.ts';
import type { NodeResult, StreamExcerpt, SuiteResult, TestcaseResult } from '../../dsl/model/result.ts';
import type { FaultInput, RunInfo, SuiteInput, TestcaseInput } from '../../dsl/model/workflow-io.ts';
import type { Fact, WorkflowFacts } from '../../report/facts.ts';

/** Hand-made facts: a run whose suite hook, testcases, retry, fault and skipped testcase cover every kind of event. */

export const T0 = Date.UTC(2026, 10, 24, 9, 0, 0);

export type FactBody = Fact extends infer F ? (F extends Fact ? Omit<F, 'eventId'> : never) : never;

export function makeFacts(
  workflowType: string,
  workflowId: string,
  startedAt: number,
  input: unknown,
  bodies: readonly FactBody[],
): WorkflowFacts {
  const facts = bodies.map((body, index) => ({ ...body, eventId: 5 + index * 2 }));
  return { workflowId, runId: `run-of-${workflowId}`, workflowType, input, startedAt, facts };
}

export function excerpt(text: string, more: Partial<StreamExcerpt> = {}): StreamExcerpt {
  return { text, bytes: Buffer.byteLength(text), truncated: false, ...more };
}

export function nodeResult(more: Partial<NodeResult> = {}): NodeResult {
  return {
    node: 'local',
    verdict: 'passed',
    exitCode: 0,
    timedOut: false,
    stdout: excerpt(''),
    stderr: excerpt(''),
    checks: [],
    outputs: {},
    durationMs: 12,
    startedAt: T0 + 100,
    finishedAt: T0 + 112,
    tries: 1,
    earlierTries: [],
    cached: false,
    ...more,
  };
}

export const runInfo: RunInfo = {
  run: '20261124t0900-abc',
  suite: 'reports <&> "suite"',
  slug: 'reports',
  seed: 7,
  queues: { main: 'q', host: 'q', control: 'c' },
  suiteDir: '/suite',
  resultsDir: '/results',
  engine: { version: '0.1.0', build: 'b' },
  ui: 'http://127.0.0.1:8233',
  namespace: 'default',
};

export function plannedTestcase(name: string, line: number, more: Partial<PlannedTestcase> = {}): PlannedTestcase {
  return {
    name,
    tags: ['smoke'],
    steps: [],
    assert: {},
    hooks: { before: [], after: [], onFail: [] },
    requires: [],
    env: {},
    bind: {},
    probes: [],
    retry: { max: 0, delayMs: 1000, backoff: 1, maxDelayMs: 60_000, when: [] },
    needs: [],
    locks: [],
    hasChaos: false,
    location: { file: 'suite.yaml', line, column: 5 },
    ...more,
  } as unknown as PlannedTestcase;
}

export function makePlan(testcases: readonly PlannedTestcase[], cells: readonly Cell[]): Plan {
  return {
    version: 1,
    suite: { name: runInfo.suite, slug: 'reports', file: 'suite.yaml', tags: [] },
    digest: 'd',
    seed: 7,
    context: { nodes: [], groups: {}, env: {}, envOverrides: {}, cluster: 'c' },
    definitions: { commands: {}, chaos: {}, probes: {}, roles: {} },
    testcases,
    cells,
    hooks: { before: [], after: [], onFail: [] },
    requires: [],
    strategy: { maxParallel: 1, failFast: false },
    secrets: [],
  } as unknown as Plan;
}

export function testcaseInput(cell: Cell, testcase: PlannedTestcase, attempt = 1): TestcaseInput {
  const { context, definitions } = makePlan([], []);
  return { v: 1, run: runInfo, slice: { context, definitions, testcase }, cell, attempt, incarnations: {} };
}

type StepStart = Extract<JournalEntry, { type: 'step_started' }>;
type StepEnd = Extract<JournalEntry, { type: 'step_finished' }>;

export function stepStarted(step: string, at: number, more: Partial<StepStart> = {}): StepStart {
  return {
    type: 'step_started',
    at,
    step,
    kind: 'command',
    name: step,
    title: `title of ${step}`,
    phase: 'steps',
    nodes: ['local'],
    file: 'suite.yaml',
    line: 12,
    ...more,
  };
}

export function stepFinished(step: string, startedAt: number, at: number, more: Partial<StepEnd> = {}): StepEnd {
  return {
    type: 'step_finished',
    at,
    step,
    kind: 'command',
    name: step,
    title: `title of ${step}`,
    phase: 'steps',
    nodes: ['local'],
    verdict: 'passed',
    tries: 1,
    cached: false,
    startedAt,
    continueOnError: false,
    activities: [`${step}/local`],
    outputs: {},
    checks: [],
    ...more,
  };
}

/** An activity that carries journal entries and ends with a result. */
export function activity(id: string, at: number, journal: readonly JournalEntry[], result: NodeResult, endAt = at + 20): FactBody[] {
  const input = { address: {}, node: { name: result.node }, journal };
  const good = result.verdict === 'passed';
  return [
    { kind: 'activity_scheduled', at, activityId: id, activityType: 'runCommand', input },
    good
      ? { kind: 'activity_finished', at: endAt, activityId: id, status: 'completed', result }
      : { kind: 'activity_finished', at: endAt, activityId: id, status: 'failed', failureType: 'StepFailed', message: 'x', detail: result },
  ];
}

export function testcaseResult(id: string, finishedAt: number, more: Partial<TestcaseResult> = {}): TestcaseResult {
  return {
    id,
    attempt: 1,
    verdict: 'passed',
    flaky: false,
    recovery: 'clean',
    owed: [],
    startedAt: T0,
    finishedAt,
    cancelled: false,
    journal: [],
    ...more,
  };
}

const HOSTILE = 'x ]]> <b>&amp; \u001b[31mred\u001b[0m \u0001 </script> \ud800 \ufffe\n';

const good = plannedTestcase('good', 3);
const hostile = plannedTestcase('hostile', 5, { description: 'prints **everything**' });
const flaky = plannedTestcase('flaky', 9);
const faulty = plannedTestcase('faulty', 14, { hasChaos: true });
const late = plannedTestcase('late', 20);

const cells: Cell[] = [
  { id: 'good', testcase: 'good', params: {} },
  { id: 'hostile[a|b-<1>]', testcase: 'hostile', params: { mode: 'a|b', size: '<1>', fixed: 3 }, axes: ['mode', 'size'] },
  { id: 'flaky', testcase: 'flaky', params: {} },
  { id: 'faulty', testcase: 'faulty', params: {} },
  { id: 'late', testcase: 'late', params: {} },
];

const id = (name: string, attempt = 1): string => `onetear/reports/${runInfo.run}/c/${name}/a${attempt}`;

const goodFacts = makeFacts('testcase', id('good'), T0 + 1000, testcaseInput(cells[0] as Cell, good), [
  ...activity('before#1/local', T0 + 1010, [stepStarted('testcase.before#1', T0 + 1005, { kind: 'hook', phase: 'before' })], nodeResult()),
  ...activity(
    'one/local',
    T0 + 1050,
    [
      stepFinished('testcase.before#1', T0 + 1005, T0 + 1045, { kind: 'hook', phase: 'before', activities: ['before#1/local'] }),
      stepStarted('one', T0 + 1046),
    ],
    nodeResult({ stdout: excerpt('hello\n') }),
  ),
  {
    kind: 'closed',
    at: T0 + 1100,
    status: 'completed',
    result: testcaseResult('good', T0 + 1099, { journal: [stepFinished('one', T0 + 1046, T0 + 1090)] }),
  },
]);

const hostileFacts = makeFacts('testcase', id('hostile'), T0 + 2000, testcaseInput(cells[1] as Cell, hostile), [
  ...activity(
    'bad/local',
    T0 + 2010,
    [stepStarted('bad', T0 + 2005)],
    nodeResult({
      verdict: 'failed',
      reason: `exit_code: expected 0, got 1 ${HOSTILE}`,
      exitCode: 1,
      stdout: excerpt(HOSTILE),
      stderr: excerpt('oops ]]> \u001b[2J\n'),
      checks: [{ matcher: 'exit_code', expected: '0', actual: '1', ok: false }],
    }),
  ),
  {
    kind: 'memo_journal',
    at: T0 + 2040,
    journal: [stepFinished('bad', T0 + 2005, T0 + 2040, { verdict: 'failed', reason: `exit_code: expected 0, got 1 ${HOSTILE}` })],
  },
  {
    kind: 'closed',
    at: T0 + 2100,
    status: 'completed',
    result: testcaseResult('hostile[a|b-<1>]', T0 + 2099, {
      verdict: 'failed',
      reason: `exit_code: expected 0, got 1 ${HOSTILE}`,
      step: 'bad',
      journal: [stepFinished('after', T0 + 2050, T0 + 2050, { verdict: 'skipped', activities: [], nodes: [] })],
    }),
  },
]);

const flakyFacts = [1, 2].map((attempt) => {
  const start = T0 + 2000 + attempt * 1000;
  const bad = attempt === 1;
  const result = nodeResult(bad ? { verdict: 'broken', reason: 'node pg1 not reachable', exitCode: null } : { stdout: excerpt('ok') });
  return makeFacts('testcase', id('flaky', attempt), start, testcaseInput(cells[2] as Cell, flaky, attempt), [
    ...activity('try/local', start + 10, [stepStarted('try', start + 5)], result),
    {
      kind: 'closed',
      at: start + 100,
      status: 'completed',
      result: testcaseResult('flaky', start + 99, {
        attempt,
        verdict: bad ? 'broken' : 'passed',
        ...(bad ? { reason: 'node pg1 not reachable', step: 'try' } : {}),
        flaky: !bad,
        journal: [stepFinished('try', start + 5, start + 90, bad ? { verdict: 'broken', reason: 'node pg1 not reachable' } : {})],
      }),
    },
  ]);
});

export const faultInput: FaultInput = {
  v: 1,
  run: runInfo,
  id: `${runInfo.run}/faulty/a1/kill`,
  owner: { workflowId: id('faulty'), runId: 'r' },
  testcase: 'faulty',
  attempt: 1,
  step: 'kill',
  name: 'kill',
  title: 'kill it',
  targets: ['n1', 'n2'].map((name) => ({ node: { name }, undo: `undo on ${name} <now>` })) as unknown as FaultInput['targets'],
  incarnations: {},
  recoverWithinMs: 120_000,
  irreversible: false,
};

const faultEntry = (
  at: number,
  state: Extract<JournalEntry, { type: 'fault_state' }>['state'],
  nodes: readonly string[],
  reason?: string,
): JournalEntry => ({
  type: 'fault_state',
  at,
  step: 'kill',
  name: 'kill',
  nodes,
  id: faultInput.id,
  state,
  undo: Object.fromEntries(nodes.map((node) => [node, `undo on ${node} <now>`])),
  ...(reason === undefined ? {} : { reason }),
});

const START = T0 + 5000;
const faultWorkflow = `onetear/fault/${faultInput.id}`;

const faultFacts = makeFacts('fault', faultWorkflow, START + 20, faultInput, [
  ...activity('inject/n1', START + 25, [faultEntry(START + 21, 'planned', ['n1', 'n2'])], nodeResult({ node: 'n1' })),
  ...activity(
    'recover/n1',
    START + 60,
    [faultEntry(START + 50, 'verified', ['n1', 'n2']), faultEntry(START + 55, 'recovering', ['n1', 'n2'])],
    nodeResult(),
  ),
  {
    kind: 'memo_journal',
    at: START + 90,
    journal: [faultEntry(START + 88, 'recovered', ['n1']), faultEntry(START + 90, 'owed', ['n2'], 'not within 2m')],
  },
  // Long after the testcase: no record may hold it.
  { kind: 'memo_journal', at: START + 9000, journal: [faultEntry(START + 9000, 'recovered', ['n2'])] },
]);

const faultyFacts = makeFacts('testcase', id('faulty'), START, testcaseInput(cells[3] as Cell, faulty), [
  {
    kind: 'memo_journal',
    at: START + 10,
    journal: [stepStarted('kill', START + 10, { kind: 'chaos', nodes: ['n1', 'n2'] })],
  },
  {
    kind: 'child_started',
    at: START + 20,
    workflowId: faultWorkflow,
    runId: `run-of-${faultWorkflow}`,
    workflowType: 'fault',
    input: faultInput,
  },
  {
    kind: 'signal',
    at: START + 52,
    name: 'fault-state',
    payload: {
      step: 'kill',
      id: faultInput.id,
      state: 'verified',
      at: START + 50,
      results: [nodeResult({ node: 'n1' }), nodeResult({ node: 'n2' })],
    },
  },
  {
    kind: 'closed',
    at: START + 200,
    status: 'completed',
    result: testcaseResult('faulty', START + 199, {
      verdict: 'broken',
      reason: 'recovery owed on n2',
      step: 'kill',
      recovery: 'owed',
      owed: [{ fault: faultInput.id, node: 'n2', undo: 'undo on n2 <now>' }],
      journal: [stepFinished('kill', START + 10, START + 95, { kind: 'chaos', nodes: ['n1', 'n2'], activities: [] })],
    }),
  },
]);

export const suiteResult: SuiteResult = {
  verdict: 'failed',
  recovery: 'owed',
  cancelled: false,
  counts: { passed: 2, failed: 1, broken: 1, void: 0, skipped: 1, flaky: 1 },
  testcases: [
    { id: 'good', verdict: 'passed', flaky: false, attempts: 1, reason: null, duration_ms: 99 },
    {
      id: 'hostile[a|b-<1>]',
      verdict: 'failed',
      flaky: false,
      attempts: 1,
      reason: `exit_code: expected 0, got 1 ${HOSTILE}`,
      duration_ms: 99,
    },
    { id: 'flaky', verdict: 'passed', flaky: true, attempts: 2, reason: null, duration_ms: 1099 },
    { id: 'faulty', verdict: 'broken', flaky: false, attempts: 1, reason: 'recovery owed on n2', duration_ms: 199 },
    { id: 'late', verdict: 'skipped', flaky: false, attempts: 0, reason: 'needs faulty, which did not pass', duration_ms: 0 },
  ],
  owed: [{ fault: faultInput.id, node: 'n2', undo: 'undo on n2 <now>' }],
  startedAt: T0,
  finishedAt: T0 + 6000,
  journal: [],
};

const attempts = [goodFacts, hostileFacts, ...flakyFacts, faultyFacts];
const suiteInput: SuiteInput = { v: 1, run: runInfo, plan: makePlan([good, hostile, flaky, faulty, late], cells) };

const suiteFacts = makeFacts('suite', `onetear/reports/${runInfo.run}`, T0, suiteInput, [
  ...activity('suite.before#1/local', T0 + 20, [stepStarted('suite.before#1', T0 + 10, { kind: 'hook', phase: 'before' })], nodeResult()),
  {
    kind: 'memo_journal',
    at: T0 + 900,
    journal: [stepFinished('suite.before#1', T0 + 10, T0 + 800, { kind: 'hook', phase: 'before', activities: ['suite.before#1/local'] })],
  },
  ...attempts.flatMap((facts): FactBody[] => {
    const closed = facts.facts.at(-1) as Extract<Fact, { kind: 'closed' }>;
    const { workflowId, runId, workflowType, input } = facts;
    return [
      { kind: 'child_started', at: facts.startedAt + 1, workflowId, runId, workflowType, input },
      { kind: 'child_finished', at: closed.at + 1, workflowId, status: 'completed', result: closed.result },
    ];
  }),
  {
    kind: 'memo_journal',
    at: T0 + 5500,
    journal: [
      { type: 'testcase_skipped', at: T0 + 5500, testcase: 'late', verdict: 'skipped', reason: 'needs faulty, which did not pass' },
    ],
  },
  { kind: 'closed', at: T0 + 6001, status: 'completed', result: suiteResult },
]);

export const sample = {
  suite: suiteFacts,
  good: goodFacts,
  hostile: hostileFacts,
  flaky: flakyFacts,
  faulty: faultyFacts,
  fault: faultFacts,
};
export const everyHistory: readonly WorkflowFacts[] = [suiteFacts, ...attempts, faultFacts];
export const sampleSuiteInput = suiteInput;
