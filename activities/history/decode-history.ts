import type { LoadedDataConverter } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import type { JournalEntry } from '../../dsl/model/journal.ts';
import { FAILURE, JOURNAL_MEMO } from '../../dsl/model/workflow-io.ts';
import type { Fact, WorkflowFacts } from '../../report/facts.ts';
import { decodeFailure, decodeFirst, decodePayload } from './decode-payload.ts';
import type { FailureFacts } from './decode-payload.ts';

/** One raw event as `handle.fetchHistory()` or `GetWorkflowExecutionHistory` gives it. */
export type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

/** Which execution the events belong to. */
export interface Execution {
  readonly workflowId: string;
  readonly runId: string;
}

/** What is known of a workflow before any of its facts; `undefined` until its first event was decoded. */
export type WorkflowHeader = Omit<WorkflowFacts, 'facts'>;

/** Decodes one history in batches, as a long poll delivers it. */
export interface HistoryDecoder {
  /** From the first event; `undefined` before it came. */
  readonly header: () => WorkflowHeader | undefined;
  /** Decodes the next events, in order; events seen before are ignored. Returns the new facts. */
  readonly append: (events: readonly HistoryEvent[]) => Promise<Fact[]>;
}

/** A whole history as plain data. Throws when its first event is missing. */
export async function decodeHistory(
  events: readonly HistoryEvent[],
  execution: Execution,
  dataConverter: LoadedDataConverter,
): Promise<WorkflowFacts> {
  const decoder = createHistoryDecoder(execution, dataConverter);
  const facts = await decoder.append(events);
  const header = decoder.header();
  if (!header) throw new Error(`history of ${execution.workflowId} does not begin with its first event`);
  return { ...header, facts };
}

/** The incremental form of {@link decodeHistory}. Keeps only what later events refer to, never the facts themselves. */
export function createHistoryDecoder(execution: Execution, converter: LoadedDataConverter): HistoryDecoder {
  const state: DecoderState = { converter, execution, activities: new Map(), children: new Map(), header: undefined, lastEventId: 0 };
  return {
    header: () => state.header,
    append: async (events) => {
      const facts: Fact[] = [];
      for (const event of events) {
        const eventId = toNumber(event.eventId);
        if (eventId <= state.lastEventId) continue;
        facts.push(...(await decodeEvent(event, { eventId, at: eventTimeMs(event) }, state)));
        // After the await: a payload that cannot be decoded must not count as seen.
        state.lastEventId = eventId;
      }
      return facts;
    },
  };
}

interface DecoderState {
  readonly converter: LoadedDataConverter;
  readonly execution: Execution;
  /** Event id of the scheduling → activity id. */
  readonly activities: Map<number, string>;
  /** Event id of the initiation → input, until the child started. */
  readonly children: Map<number, unknown>;
  header: WorkflowHeader | undefined;
  lastEventId: number;
}

interface Stamp {
  readonly at: number;
  readonly eventId: number;
}

type FactBody = Fact extends infer F ? (F extends Fact ? Omit<F, 'at' | 'eventId'> : never) : never;

async function decodeEvent(event: HistoryEvent, stamp: Stamp, state: DecoderState): Promise<Fact[]> {
  const body =
    (await decodeActivityEvent(event, state)) ??
    (await decodeChildEvent(event, state)) ??
    (await decodeCloseEvent(event, state)) ??
    (await decodeOtherEvent(event, stamp, state));
  return body ? [{ ...stamp, ...body }] : [];
}

async function decodeActivityEvent(event: HistoryEvent, state: DecoderState): Promise<FactBody | undefined> {
  const { converter } = state;
  const scheduled = event.activityTaskScheduledEventAttributes;
  if (scheduled) {
    const activityId = scheduled.activityId ?? '';
    state.activities.set(toNumber(event.eventId), activityId);
    const input = await decodeFirst(scheduled.input, converter);
    return { kind: 'activity_scheduled', activityId, activityType: scheduled.activityType?.name ?? '', input };
  }
  const finished = (scheduledEventId: Int64, status: 'completed' | 'failed' | 'cancelled' | 'timed_out', rest: object): FactBody => {
    const id = toNumber(scheduledEventId);
    const activityId = state.activities.get(id) ?? '';
    state.activities.delete(id);
    return { kind: 'activity_finished', activityId, status, ...rest };
  };
  const completed = event.activityTaskCompletedEventAttributes;
  if (completed) return finished(completed.scheduledEventId, 'completed', { result: await decodeFirst(completed.result, converter) });
  const failed = event.activityTaskFailedEventAttributes;
  if (failed) return finished(failed.scheduledEventId, 'failed', await decodeFailure(failed.failure, converter));
  const timedOut = event.activityTaskTimedOutEventAttributes;
  if (timedOut) return finished(timedOut.scheduledEventId, 'timed_out', await decodeFailure(timedOut.failure, converter));
  const cancelled = event.activityTaskCanceledEventAttributes;
  if (cancelled) {
    const detail = await decodeFirst(cancelled.details, converter);
    return finished(cancelled.scheduledEventId, 'cancelled', detail === undefined ? {} : { detail });
  }
  return undefined;
}

async function decodeChildEvent(event: HistoryEvent, state: DecoderState): Promise<FactBody | undefined> {
  const { converter } = state;
  const initiated = event.startChildWorkflowExecutionInitiatedEventAttributes;
  if (initiated) {
    state.children.set(toNumber(event.eventId), await decodeFirst(initiated.input, converter));
    return undefined;
  }
  const refused = event.startChildWorkflowExecutionFailedEventAttributes;
  if (refused) {
    state.children.delete(toNumber(refused.initiatedEventId));
    return {
      kind: 'child_finished',
      workflowId: refused.workflowId ?? '',
      status: 'failed',
      message: 'the child workflow could not be started',
    };
  }
  const started = event.childWorkflowExecutionStartedEventAttributes;
  if (started) {
    const initiatedId = toNumber(started.initiatedEventId);
    const input = state.children.get(initiatedId);
    state.children.delete(initiatedId);
    return {
      kind: 'child_started',
      workflowId: started.workflowExecution?.workflowId ?? '',
      runId: started.workflowExecution?.runId ?? '',
      workflowType: started.workflowType?.name ?? '',
      input,
    };
  }
  const completed = event.childWorkflowExecutionCompletedEventAttributes;
  if (completed) return childFinished(completed, 'completed', { result: await decodeFirst(completed.result, converter) });
  const failed = event.childWorkflowExecutionFailedEventAttributes;
  if (failed) {
    const { status, ...rest } = failedWorkflow(await decodeFailure(failed.failure, converter));
    return childFinished(failed, status, rest);
  }
  const cancelled = event.childWorkflowExecutionCanceledEventAttributes;
  if (cancelled) return childFinished(cancelled, 'cancelled', {});
  const timedOut = event.childWorkflowExecutionTimedOutEventAttributes;
  if (timedOut) return childFinished(timedOut, 'timed_out', {});
  const terminated = event.childWorkflowExecutionTerminatedEventAttributes;
  if (terminated) return childFinished(terminated, 'terminated', {});
  return undefined;
}

/** A testcase with a bad verdict is a failed workflow, so that Temporal's lists show it; to a projection it has a result like any other. */
function failedWorkflow(
  failure: FailureFacts,
): ({ readonly status: 'failed' } & FailureFacts) | { readonly status: 'completed'; readonly result: unknown } {
  if (failure.failureType !== FAILURE.testFailed || failure.detail === undefined) return { status: 'failed', ...failure };
  return { status: 'completed', result: failure.detail };
}

function childFinished(
  attributes: { readonly workflowExecution?: temporal.api.common.v1.IWorkflowExecution | null },
  status: 'completed' | 'failed' | 'cancelled' | 'terminated' | 'timed_out',
  rest: object,
): FactBody {
  return { kind: 'child_finished', workflowId: attributes.workflowExecution?.workflowId ?? '', status, ...rest };
}

async function decodeCloseEvent(event: HistoryEvent, state: DecoderState): Promise<FactBody | undefined> {
  const { converter } = state;
  const completed = event.workflowExecutionCompletedEventAttributes;
  if (completed) return { kind: 'closed', status: 'completed', result: await decodeFirst(completed.result, converter) };
  const failed = event.workflowExecutionFailedEventAttributes;
  if (failed) return { kind: 'closed', ...failedWorkflow(await decodeFailure(failed.failure, converter)) };
  if (event.workflowExecutionCanceledEventAttributes) return { kind: 'closed', status: 'cancelled' };
  if (event.workflowExecutionTimedOutEventAttributes) return { kind: 'closed', status: 'timed_out' };
  if (event.workflowExecutionContinuedAsNewEventAttributes) return { kind: 'closed', status: 'continued_as_new' };
  const terminated = event.workflowExecutionTerminatedEventAttributes;
  if (terminated) return { kind: 'closed', status: 'terminated', ...(terminated.reason ? { message: terminated.reason } : {}) };
  return undefined;
}

async function decodeOtherEvent(event: HistoryEvent, stamp: Stamp, state: DecoderState): Promise<FactBody | undefined> {
  const { converter } = state;
  const started = event.workflowExecutionStartedEventAttributes;
  if (started) {
    state.header = {
      ...state.execution,
      workflowType: started.workflowType?.name ?? '',
      input: await decodeFirst(started.input, converter),
      startedAt: stamp.at,
    };
    return undefined;
  }
  const memo = event.workflowPropertiesModifiedEventAttributes?.upsertedMemo?.fields?.[JOURNAL_MEMO];
  if (memo) {
    const journal = await decodePayload(memo, converter);
    return Array.isArray(journal) ? { kind: 'memo_journal', journal: journal as readonly JournalEntry[] } : undefined;
  }
  const signal = event.workflowExecutionSignaledEventAttributes;
  if (signal) return { kind: 'signal', name: signal.signalName ?? '', payload: await decodeFirst(signal.input, converter) };
  return undefined;
}

type Int64 = { toString: () => string } | null | undefined;

/** Event ids are 64-bit on the wire and small in life. */
function toNumber(value: Int64): number {
  return value === null || value === undefined ? 0 : Number(value.toString());
}

function eventTimeMs(event: HistoryEvent): number {
  return toNumber(event.eventTime?.seconds) * 1000 + Math.floor((event.eventTime?.nanos ?? 0) / 1_000_000);
}
