import type { RunEvent } from '../dsl/model/events.ts';
import type { FaultRecord, StepRecord, TestcaseRecord } from '../dsl/model/record.ts';
import {
  faultEvent,
  runFinishedFromRecord,
  runStartedFromRecord,
  stepFinishedEvent,
  stepStartedFromRecord,
  SUITE_LEVEL,
  testcaseFinishedEvent,
  testcaseNotStartedEvent,
  testcaseStartedFromRecord,
} from './event-builders.ts';
import type { AttemptName } from './event-builders.ts';
import type { FinishedRun } from './report-model.ts';
import { isRoleStep } from './report-model.ts';

/** The events of one attempt, from its record: the same lines that the live projection of its history tells, in the order of their times. */
export function recordEvents(record: TestcaseRecord): RunEvent[] {
  if (record.attempt === 0) return [testcaseNotStartedEvent({ ...record, at: record.finishedAt })];
  const inner = stepEvents(record, record.steps, record.faults);
  return [testcaseStartedFromRecord(record), ...inner, testcaseFinishedEvent(record)];
}

/** Events of the suite's own hooks. */
export function suiteStepEvents(run: FinishedRun): RunEvent[] {
  return stepEvents(SUITE_LEVEL, run.steps, []);
}

/** The first and the last line of a run's stream. */
export function runFrameEvents(run: FinishedRun): { readonly first: RunEvent; readonly last: RunEvent } {
  return { first: runStartedFromRecord(run), last: runFinishedFromRecord(run) };
}

function stepEvents(name: AttemptName, steps: readonly StepRecord[], faults: readonly FaultRecord[]): RunEvent[] {
  const known = new Set(steps.map((step) => step.step));
  const ofStep = (step: StepRecord): RunEvent[] => {
    const inner = steps.filter((each) => each.parent === step.step);
    // Roles are asked before a step begins: where it runs depends on them.
    const asked = inner.filter((each) => isRoleStep(each) && each.finishedAt <= step.startedAt);
    return [
      ...asked.flatMap(ofStep),
      ...(step.verdict === 'skipped' ? [] : [stepStartedFromRecord(name, step)]),
      ...faults.filter((fault) => fault.step === step.step).flatMap((fault) => faultEvents(name.testcase, fault)),
      ...inner.filter((each) => !asked.includes(each)).flatMap(ofStep),
      stepFinishedEvent(name, step),
    ];
  };
  const roots = steps.filter((step) => step.parent === undefined || !known.has(step.parent));
  const loose = faults.filter((fault) => !known.has(fault.step));
  const events = [...loose.flatMap((fault) => faultEvents(name.testcase, fault)), ...roots.flatMap(ofStep)];
  // Stable: what happened in the same millisecond stays in the order of the tree. All times have one format, so text order is time order.
  return events.toSorted((a, b) => (a.ts < b.ts ? -1 : a.ts > b.ts ? 1 : 0));
}

function faultEvents(testcase: string, fault: FaultRecord): RunEvent[] {
  const { step, name, node, id, undo } = fault;
  return fault.states.map(({ state, at, reason }) => faultEvent(testcase, { step, name, node, id, undo, state, at, reason }));
}
