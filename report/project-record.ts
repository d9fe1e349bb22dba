import type { FaultRecord, StepRecord, TestcaseRecord } from '../dsl/model/record.ts';
import type { TestcaseResult } from '../dsl/model/result.ts';
import type { Recovery } from '../dsl/model/verdict.ts';
import type { TestcaseInput } from '../dsl/model/workflow-io.ts';
import { FAILURE, WORKFLOW } from '../dsl/model/workflow-io.ts';
import type { Fact, WorkflowFacts } from './facts.ts';
import { faultRecords } from './fault-states.ts';
import { createJournalReader } from './journal-reader.ts';

export type ClosedFact = Extract<Fact, { kind: 'closed' }>;

/**
 * The durable record of one closed testcase attempt. Pure: the same histories give the same record.
 * `faults`: histories of the fault workflows it started; those not given are told by the testcase's own history alone.
 * `fanouts`: histories of the `fanout` children it started, which hold the results of steps on many nodes.
 */
export function projectRecord(
  testcase: WorkflowFacts,
  faults: readonly WorkflowFacts[],
  fanouts: readonly WorkflowFacts[] = [],
): TestcaseRecord {
  const input = testcaseInputOf(testcase);
  if (!input) throw new Error(`${testcase.workflowId} is not a testcase`);
  const closed = testcase.facts.findLast((fact): fact is ClosedFact => fact.kind === 'closed');
  const until = closed?.at ?? testcase.facts.at(-1)?.at ?? testcase.startedAt;
  return composeRecord({
    input,
    workflowId: testcase.workflowId,
    workflowRunId: testcase.runId,
    startedAt: testcase.startedAt,
    end: attemptEnd(closed, testcase.startedAt, until),
    steps: stepRecords(testcase.facts, fanouts),
    faults: faultRecords(testcase, faults, until),
  });
}

/** How an attempt ended, from its result or from the way its workflow was closed. */
export interface AttemptEnd {
  readonly verdict: TestcaseResult['verdict'];
  readonly reason: string | null;
  readonly flaky: boolean;
  readonly step: string | null;
  /** `undefined`: the workflow did not live to say it; the faults' states decide. */
  readonly recovery: Recovery | undefined;
  readonly finishedAt: number;
}

/** A workflow that ended without its own verdict is broken: nobody knows what the testcase would have found. */
export function attemptEnd(closed: ClosedFact | undefined, startedAt: number, now: number): AttemptEnd {
  const result = closed?.result;
  if (closed?.status === 'completed' && isTestcaseResult(result)) {
    return {
      verdict: result.verdict,
      reason: result.reason ?? null,
      flaky: result.flaky,
      step: result.step ?? null,
      recovery: result.recovery,
      finishedAt: Math.max(startedAt, result.finishedAt),
    };
  }
  const finishedAt = Math.max(startedAt, closed?.at ?? now);
  return { verdict: 'broken', reason: closeReason(closed), flaky: false, step: null, recovery: undefined, finishedAt };
}

/** Why a workflow that gave no result ended, for people. */
export function closeReason(closed: ClosedFact | undefined): string {
  if (!closed) return 'its workflow is not closed';
  const said = closed.message ? `: ${closed.message}` : '';
  if (closed.status === 'failed') {
    return closed.failureType === FAILURE.engineBug && closed.message?.startsWith('engine bug') ? closed.message : `engine bug${said}`;
  }
  const words = { completed: 'ended without a result', cancelled: 'cancelled', terminated: 'terminated', timed_out: 'timed out' };
  return closed.status === 'continued_as_new' ? 'its workflow was continued elsewhere' : `workflow ${words[closed.status]}${said}`;
}

/** All steps in the order in which they started. `fanouts`: histories of the `fanout` children that these facts name. */
export function stepRecords(facts: readonly Fact[], fanouts: readonly WorkflowFacts[] = []): StepRecord[] {
  const reader = createJournalReader();
  const children = new Map(fanouts.map((fanout) => [fanout.workflowId, fanout.facts]));
  const order: string[] = [];
  const steps = new Map<string, StepRecord>();
  for (const fact of facts) {
    // What follows the end of a fan-out is about its results, so they are read before it.
    const inner = fact.kind === 'child_started' ? (children.get(fact.workflowId) ?? []) : [];
    for (const moment of [...inner.flatMap(reader.readChild), ...reader.read(fact)]) {
      if (moment.kind === 'step_started') order.push(moment.entry.step);
      if (moment.kind !== 'step_finished') continue;
      if (!order.includes(moment.step.step)) order.push(moment.step.step);
      steps.set(moment.step.step, moment.step);
    }
  }
  return order.flatMap((id) => steps.get(id) ?? []);
}

export interface RecordParts {
  readonly input: TestcaseInput;
  readonly workflowId: string;
  readonly workflowRunId: string;
  readonly startedAt: number;
  readonly end: AttemptEnd;
  readonly steps: readonly StepRecord[];
  readonly faults: readonly FaultRecord[];
}

/** Puts a record together; the live projector uses it too, so that both agree. */
export function composeRecord(parts: RecordParts): TestcaseRecord {
  const { input, end } = parts;
  const { testcase } = input.slice;
  return {
    v: 1,
    run: input.run.run,
    suite: input.run.suite,
    testcase: input.cell.id,
    name: input.cell.testcase,
    ...(testcase.description === undefined ? {} : { description: testcase.description }),
    params: input.cell.params,
    axes: axesOf(input),
    tags: testcase.tags,
    file: testcase.location.file,
    line: testcase.location.line,
    attempt: input.attempt,
    ...(input.run.iteration === undefined ? {} : { iteration: input.run.iteration }),
    workflowId: parts.workflowId,
    workflowRunId: parts.workflowRunId,
    verdict: end.verdict,
    reason: end.reason,
    flaky: end.flaky,
    step: end.step,
    recovery: end.recovery ?? recoveryOf(parts.faults),
    startedAt: parts.startedAt,
    finishedAt: end.finishedAt,
    steps: parts.steps,
    faults: parts.faults,
  };
}

function recoveryOf(faults: readonly FaultRecord[]): Recovery {
  return faults.some((fault) => fault.states.at(-1)?.state === 'owed') ? 'owed' : 'clean';
}

/** Parameters that make this cell what it is. A testcase without brackets in its id has no axes. */
function axesOf(input: TestcaseInput): string[] {
  const { cell } = input;
  if (cell.axes) return [...cell.axes];
  return cell.id === cell.testcase ? [] : Object.keys(cell.params);
}

/** Input of a testcase workflow; `undefined` for any other workflow. */
export function testcaseInputOf(workflow: { readonly workflowType: string; readonly input: unknown }): TestcaseInput | undefined {
  return workflow.workflowType === WORKFLOW.testcase && typeof workflow.input === 'object' && workflow.input !== null
    ? (workflow.input as TestcaseInput)
    : undefined;
}

function isTestcaseResult(value: unknown): value is TestcaseResult {
  return typeof value === 'object' && value !== null && 'verdict' in value && 'recovery' in value && 'finishedAt' in value;
}
