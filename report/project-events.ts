import type { RunEvent } from '../dsl/model/events.ts';
import type { SuiteResult } from '../dsl/model/result.ts';
import type { FaultInput, FaultResult, SuiteInput, TestcaseInput } from '../dsl/model/workflow-io.ts';
import { WORKFLOW } from '../dsl/model/workflow-io.ts';
import {
  faultEvent,
  runFinishedEvent,
  runStartedEvent,
  stepFinishedEvent,
  stepStartedEvent,
  stepStartedFromRecord,
  SUITE_LEVEL,
  testcaseFinishedEvent,
  testcaseNotStartedEvent,
  testcaseStartedEvent,
} from './event-builders.ts';
import type { AttemptName, FaultMoment } from './event-builders.ts';
import { EXIT } from './exit-code.ts';
import type { Fact, WorkflowFacts } from './facts.ts';
import { createFaultStates, faultInputOf, isFaultResult } from './fault-states.ts';
import type { FaultStates } from './fault-states.ts';
import { createJournalReader } from './journal-reader.ts';
import type { JournalReader, Moment } from './journal-reader.ts';
import { attemptEnd, closeReason, composeRecord, testcaseInputOf } from './project-record.ts';
import type { ClosedFact } from './project-record.ts';
import { isoTime } from './text.ts';

export type WorkflowHeader = Omit<WorkflowFacts, 'facts'>;

/** A workflow of the run whose history tells more events. */
export interface FollowedWorkflow {
  readonly workflowId: string;
  readonly runId: string;
  readonly workflowType: string;
}

/**
 * Turns histories into the events of suite-language §13 as they come. Feed each workflow's facts in order; workflows may interleave in any
 * way. Identity of an event is (testcase, attempt, step, node, type, state): nothing is told twice, also when facts are fed twice.
 */
export interface EventProjector {
  /** Facts of one workflow, the next ones in order; the header may come alone with an empty list. */
  readonly add: (header: WorkflowHeader, facts: readonly Fact[]) => RunEvent[];
  /** Workflows named by the facts so far whose end has not been fed: what a follower must read. Without those of {@link EventProjector.forget}. */
  readonly open: () => FollowedWorkflow[];
  /** This workflow's history cannot be read: nothing waits for it any longer. */
  readonly forget: (workflowId: string) => RunEvent[];
  /** After `run_finished` or `error` was emitted. */
  readonly finished: () => boolean;
}

/** A projector for one run; the history of its suite workflow begins and ends the stream. */
export function createEventProjector(): EventProjector {
  const run: RunState = {
    suite: undefined,
    suiteResult: undefined,
    suiteClosed: undefined,
    workflows: new Map(),
    done: new Set(),
    toldTestcases: new Set(),
    before: [],
    owed: false,
    finished: false,
  };
  return {
    add: (header, facts) => emit(run, addFacts(run, header, facts)),
    open: () =>
      [...run.workflows.values()]
        .filter((workflow) => !workflow.closed)
        .map(({ workflowId, runId, workflowType }) => ({ workflowId, runId, workflowType })),
    forget: (workflowId) => {
      const workflow = run.workflows.get(workflowId);
      if (!workflow || workflow.closed) return [];
      workflow.closed = true;
      const last = workflow.fault?.lastWord;
      const heard = last && workflow.fault ? tellFault(run, workflow, workflow.fault.states.fromResult(last.result, last.at)) : [];
      return emit(run, [...heard, ...releaseFaults(run, workflowId), ...settle(run)]);
    },
    finished: () => run.finished,
  };
}

interface FollowedFault {
  readonly states: FaultStates;
  readonly testcase: string;
  readonly owner: string;
  /** Events that wait for the start of the testcase to be told. */
  held: RunEvent[];
  /** What its testcase heard of its end. */
  lastWord: { readonly result: FaultResult; readonly at: number } | undefined;
}

interface WorkflowState extends FollowedWorkflow {
  closed: boolean;
  /** Facts already read: feeding a batch again does nothing. */
  lastEventId: number;
  header: WorkflowHeader | undefined;
  readonly reader: JournalReader;
  /** Steps whose start was told. */
  readonly started: Set<string>;
  /** Of a testcase: its faults. */
  readonly faults: string[];
  /** Of a testcase: the fan-outs of its steps. */
  readonly fanouts: string[];
  /** Of a fan-out: the workflow whose step it runs. */
  owner: WorkflowState | undefined;
  testcase: TestcaseInput | undefined;
  fault: FollowedFault | undefined;
  /** Of a testcase: how it was closed, until that was told. */
  ending: ClosedFact | undefined;
  recoveryOwed: boolean;
}

interface RunState {
  suite: { readonly workflowId: string; readonly runId: string; readonly input: SuiteInput; readonly startedAt: number } | undefined;
  suiteResult: SuiteResult | undefined;
  suiteClosed: ClosedFact | undefined;
  /** Those that can still matter; the told ones leave, or a long run would pay for them at every step. */
  readonly workflows: Map<string, WorkflowState>;
  /** Ids of workflows that were told to their end. */
  readonly done: Set<string>;
  /** Ids of testcases whose end was told at least once. */
  readonly toldTestcases: Set<string>;
  /** Events that came before `run_started` could be told. */
  before: RunEvent[];
  owed: boolean;
  finished: boolean;
}

function emit(run: RunState, events: readonly RunEvent[]): RunEvent[] {
  if (!run.suite) {
    run.before.push(...events);
    return [];
  }
  const all = [...run.before, ...events];
  run.before = [];
  return all;
}

function addFacts(run: RunState, header: WorkflowHeader, facts: readonly Fact[]): RunEvent[] {
  if (run.finished || run.done.has(header.workflowId)) return [];
  const workflow = workflowOf(run, header);
  const events: RunEvent[] = [];
  if (!workflow.header) events.push(...begin(run, workflow, header));
  for (const fact of facts) {
    if (fact.eventId <= workflow.lastEventId) continue;
    workflow.lastEventId = fact.eventId;
    events.push(...addFact(run, workflow, fact));
  }
  events.push(...settle(run));
  return events;
}

function workflowOf(run: RunState, named: FollowedWorkflow): WorkflowState {
  const known = run.workflows.get(named.workflowId);
  if (known) return known;
  const { workflowId, runId, workflowType } = named;
  const workflow: WorkflowState = {
    workflowId,
    runId,
    workflowType,
    closed: false,
    lastEventId: 0,
    header: undefined,
    reader: createJournalReader(),
    started: new Set(),
    faults: [],
    fanouts: [],
    owner: undefined,
    testcase: undefined,
    fault: undefined,
    ending: undefined,
    recoveryOwed: false,
  };
  run.workflows.set(workflowId, workflow);
  return workflow;
}

function begin(run: RunState, workflow: WorkflowState, header: WorkflowHeader): RunEvent[] {
  workflow.header = header;
  const { workflowId, runId, startedAt } = header;
  if (header.workflowType === WORKFLOW.suite) {
    const input = header.input as SuiteInput;
    run.suite = { workflowId, runId, input, startedAt };
    // Whatever was read before belongs behind the first line.
    run.before.unshift(runStartedEvent(input, workflowId, runId, startedAt));
    return [];
  }
  const testcase = testcaseInputOf(header);
  if (testcase) {
    workflow.testcase = testcase;
    return [testcaseStartedEvent(testcase, workflowId, startedAt), ...releaseFaults(run, workflowId)];
  }
  const fault = faultInputOf(header);
  if (fault) workflow.fault ??= followFault(fault);
  return [];
}

function addFact(run: RunState, workflow: WorkflowState, fact: Fact): RunEvent[] {
  const { owner } = workflow;
  const events = owner
    ? owner.reader.readChild(fact).flatMap((moment) => tellMoment(run, owner, moment))
    : workflow.reader.read(fact).flatMap((moment) => tellMoment(run, workflow, moment));
  if (fact.kind === 'child_started' && !run.done.has(fact.workflowId)) {
    const child = workflowOf(run, fact);
    if (fact.workflowType === WORKFLOW.fanout) {
      workflow.fanouts.push(fact.workflowId);
      child.owner ??= workflow;
    }
    const input = faultInputOf(fact);
    if (input) {
      workflow.faults.push(fact.workflowId);
      child.fault ??= followFault(input);
    }
  }
  if (fact.kind === 'child_finished') {
    // The fault's own history tells more and tells it in order; this is for when it cannot be read.
    const child = run.workflows.get(fact.workflowId);
    if (child?.fault && isFaultResult(fact.result)) child.fault.lastWord = { result: fact.result, at: fact.at };
  }
  if (fact.kind === 'closed') events.push(...tellClosed(run, workflow, fact));
  return events;
}

function tellMoment(run: RunState, workflow: WorkflowState, moment: Moment): RunEvent[] {
  if (moment.kind === 'step_started') {
    workflow.started.add(moment.entry.step);
    return [stepStartedEvent(nameOf(workflow), moment.entry)];
  }
  if (moment.kind === 'step_finished') {
    const { step } = moment;
    const name = nameOf(workflow);
    const known = workflow.started.delete(step.step) || step.verdict === 'skipped';
    return [...(known ? [] : [stepStartedFromRecord(name, step)]), stepFinishedEvent(name, step)];
  }
  if (moment.kind === 'testcase_skipped') {
    run.toldTestcases.add(moment.entry.testcase);
    return [testcaseNotStartedEvent(moment.entry)];
  }
  return workflow.fault ? tellFault(run, workflow, workflow.fault.states.fromEntry(moment.entry)) : [];
}

function nameOf(workflow: WorkflowState): AttemptName {
  const { testcase } = workflow;
  return testcase ? { testcase: testcase.cell.id, attempt: testcase.attempt } : SUITE_LEVEL;
}

function followFault(input: FaultInput): FollowedFault {
  return { states: createFaultStates(input), testcase: input.testcase, owner: input.owner.workflowId, held: [], lastWord: undefined };
}

function tellFault(run: RunState, workflow: WorkflowState, moments: readonly FaultMoment[]): RunEvent[] {
  const { fault } = workflow;
  if (!fault) return [];
  if (moments.some((moment) => moment.state === 'owed')) {
    run.owed = true;
    workflow.recoveryOwed = true;
  }
  const events = moments.map((moment) => faultEvent(fault.testcase, moment));
  const owner = run.workflows.get(fault.owner);
  if (owner?.header || owner?.closed || run.done.has(fault.owner)) return events;
  fault.held.push(...events);
  return [];
}

function releaseFaults(run: RunState, owner: string): RunEvent[] {
  const faults = [...run.workflows.values()].flatMap((workflow) => (workflow.fault?.owner === owner ? [workflow.fault] : []));
  return faults.flatMap((fault) => fault.held.splice(0));
}

function tellClosed(run: RunState, workflow: WorkflowState, fact: ClosedFact): RunEvent[] {
  workflow.closed = true;
  if (workflow.workflowType === WORKFLOW.suite) {
    run.suiteClosed = fact;
    if (fact.status === 'completed') run.suiteResult = fact.result as SuiteResult;
  }
  if (workflow.testcase) workflow.ending = fact;
  if (workflow.fault && isFaultResult(fact.result)) return tellFault(run, workflow, workflow.fault.states.fromResult(fact.result, fact.at));
  return [];
}

/** Ends of testcases whose faults have been heard to the end, then the end of the run when nothing else is awaited. */
function settle(run: RunState): RunEvent[] {
  const events: RunEvent[] = [];
  for (const workflow of run.workflows.values()) {
    if (workflow.ending && faultsHeard(run, workflow, workflow.ending)) events.push(...tellTestcaseEnd(run, workflow, workflow.ending));
  }
  if (!run.suiteClosed || !run.suite) return events;
  // A suite that did not end by itself leaves children behind; they are not waited for.
  const waiting =
    run.suiteResult &&
    [...run.workflows.values()].some(
      (workflow) => workflow.workflowType === WORKFLOW.testcase && (!workflow.closed || workflow.ending !== undefined),
    );
  if (waiting || run.finished) return events;
  run.finished = true;
  return [...events, ...tellRunEnd(run, run.suite, run.suiteClosed)];
}

function faultsHeard(run: RunState, workflow: WorkflowState, ending: ClosedFact): boolean {
  // A testcase that was terminated leaves its faults to recover on their own, in their own time.
  if (ending.status !== 'completed' || (run.suiteClosed && !run.suiteResult)) return true;
  return workflow.faults.every((id) => {
    const fault = run.workflows.get(id);
    return !fault || fault.closed || fault.fault?.states.settled() === true;
  });
}

function tellTestcaseEnd(run: RunState, workflow: WorkflowState, ending: ClosedFact): RunEvent[] {
  workflow.ending = undefined;
  const { testcase, header } = workflow;
  if (!testcase || !header) return [];
  const owed = workflow.faults.some((id) => run.workflows.get(id)?.recoveryOwed);
  const end = attemptEnd(ending, header.startedAt, ending.at);
  const record = composeRecord({
    input: testcase,
    workflowId: workflow.workflowId,
    workflowRunId: workflow.runId,
    startedAt: header.startedAt,
    end: { ...end, recovery: end.recovery ?? (owed ? 'owed' : 'clean') },
    steps: [],
    faults: [],
  });
  run.toldTestcases.add(record.testcase);
  for (const id of [workflow.workflowId, ...workflow.faults, ...workflow.fanouts]) {
    // A fault that is still owed is followed on: it may be undone before the run is over.
    if (run.workflows.get(id)?.closed !== true) continue;
    run.workflows.delete(id);
    run.done.add(id);
  }
  return [testcaseFinishedEvent(record)];
}

function tellRunEnd(run: RunState, suite: NonNullable<RunState['suite']>, closed: ClosedFact): RunEvent[] {
  const result = run.suiteResult;
  if (result) {
    const untold = result.testcases.filter((testcase) => !run.toldTestcases.has(testcase.id));
    const skipped = untold.map(({ id, verdict, reason }) =>
      testcaseNotStartedEvent({ testcase: id, verdict, reason, at: result.finishedAt }),
    );
    return [...skipped, runFinishedEvent(result, suite.input.run.resultsDir)];
  }
  const exit = closed.status === 'failed' || closed.status === 'completed' ? EXIT.engineBug : EXIT.cancelled;
  return [
    {
      type: 'error',
      ts: isoTime(closed.at),
      exit: run.owed ? EXIT.recoveryOwed : exit,
      message: `the run has no result: ${closeReason(closed)}`,
      diagnostics: [],
    },
  ];
}
