import { defaultFailureConverter, defaultPayloadConverter } from '@temporalio/common';
import type { LoadedDataConverter, Payload } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import { describe, expect, test } from 'vitest';
import { JOURNAL_MEMO } from '../../dsl/model/workflow-io.ts';
import { compressionCodec } from '../../worker/data-converter.ts';
import { createHistoryDecoder, decodeHistory } from './decode-history.ts';
import type { HistoryEvent } from './decode-history.ts';

const converter: LoadedDataConverter = {
  payloadConverter: defaultPayloadConverter,
  failureConverter: defaultFailureConverter,
  payloadCodecs: [compressionCodec],
};

async function payload(value: unknown): Promise<Payload> {
  const [encoded] = await compressionCodec.encode([defaultPayloadConverter.toPayload(value)]);
  return encoded!;
}

const payloads = async (value: unknown) => ({ payloads: [await payload(value)] });

/** Events through the wire form and back: what the server sends. */
function event(eventId: number, attributes: object): HistoryEvent {
  const made = temporal.api.history.v1.HistoryEvent.fromObject({
    eventId,
    eventTime: { seconds: 1_800_000_000, nanos: eventId * 1_000_000 },
    ...attributes,
  });
  return temporal.api.history.v1.HistoryEvent.decode(temporal.api.history.v1.HistoryEvent.encode(made).finish());
}

const big = { journal: [], text: 'x'.repeat(50_000) };
const journal = [{ type: 'testcase_skipped', at: 1, testcase: 'a', verdict: 'skipped', reason: 'b' }];

async function history(): Promise<HistoryEvent[]> {
  const failure = async (detail: unknown) => ({
    message: 'exit_code: expected 0, got 1',
    applicationFailureInfo: { type: 'StepFailed', nonRetryable: true, details: await payloads(detail) },
  });
  const child = { workflowExecution: { workflowId: 'c', runId: 'cr' }, workflowType: { name: 'testcase' } };
  return [
    event(1, { workflowExecutionStartedEventAttributes: { workflowType: { name: 'suite' }, input: await payloads(big) } }),
    event(2, { workflowTaskScheduledEventAttributes: {} }),
    event(5, {
      activityTaskScheduledEventAttributes: {
        activityId: 's/local',
        activityType: { name: 'runCommand' },
        input: await payloads({ journal }),
      },
    }),
    event(6, {
      activityTaskScheduledEventAttributes: { activityId: 't/local', activityType: { name: 'runCommand' }, input: await payloads({}) },
    }),
    event(7, {
      activityTaskScheduledEventAttributes: { activityId: 'u/local', activityType: { name: 'runCommand' }, input: await payloads({}) },
    }),
    event(8, {
      activityTaskScheduledEventAttributes: { activityId: 'v/local', activityType: { name: 'runCommand' }, input: await payloads({}) },
    }),
    event(9, { activityTaskStartedEventAttributes: { scheduledEventId: 5 } }),
    event(10, { activityTaskCompletedEventAttributes: { scheduledEventId: 5, result: await payloads(big) } }),
    event(11, { activityTaskFailedEventAttributes: { scheduledEventId: 6, failure: await failure({ node: 'local' }) } }),
    event(12, {
      activityTaskTimedOutEventAttributes: {
        scheduledEventId: 7,
        failure: { message: 'activity Heartbeat timeout', timeoutFailureInfo: { timeoutType: 4 }, cause: await failure({ node: 'old' }) },
      },
    }),
    event(13, { activityTaskCanceledEventAttributes: { scheduledEventId: 8, details: await payloads({ node: 'n' }) } }),
    event(14, {
      workflowPropertiesModifiedEventAttributes: {
        upsertedMemo: { fields: { [JOURNAL_MEMO]: await payload(journal), other: await payload(1) } },
      },
    }),
    event(15, {
      startChildWorkflowExecutionInitiatedEventAttributes: {
        workflowId: 'c',
        workflowType: { name: 'testcase' },
        input: await payloads({ v: 1 }),
      },
    }),
    event(16, { childWorkflowExecutionStartedEventAttributes: { initiatedEventId: 15, ...child } }),
    event(17, { workflowExecutionSignaledEventAttributes: { signalName: 'fault-state', input: await payloads({ step: 'k' }) } }),
    event(18, {
      childWorkflowExecutionFailedEventAttributes: {
        initiatedEventId: 15,
        ...child,
        failure: {
          message: 'Activity task failed',
          activityFailureInfo: { activityId: 'x' },
          cause: { message: 'engine bug: y', applicationFailureInfo: { type: 'EngineBug' } },
        },
      },
    }),
    event(19, { workflowExecutionCompletedEventAttributes: { result: await payloads({ verdict: 'passed', journal }) } }),
  ];
}

describe('history decoder', () => {
  test('turns events into facts, compressed payloads included', async () => {
    const facts = await decodeHistory(await history(), { workflowId: 'w', runId: 'r' }, converter);
    expect(facts).toMatchObject({ workflowId: 'w', runId: 'r', workflowType: 'suite', input: big, startedAt: 1_800_000_000_001 });
    const at = 1_800_000_000_000;
    expect(facts.facts).toEqual([
      { at: at + 5, eventId: 5, kind: 'activity_scheduled', activityId: 's/local', activityType: 'runCommand', input: { journal } },
      { at: at + 6, eventId: 6, kind: 'activity_scheduled', activityId: 't/local', activityType: 'runCommand', input: {} },
      { at: at + 7, eventId: 7, kind: 'activity_scheduled', activityId: 'u/local', activityType: 'runCommand', input: {} },
      { at: at + 8, eventId: 8, kind: 'activity_scheduled', activityId: 'v/local', activityType: 'runCommand', input: {} },
      { at: at + 10, eventId: 10, kind: 'activity_finished', activityId: 's/local', status: 'completed', result: big },
      {
        at: at + 11,
        eventId: 11,
        kind: 'activity_finished',
        activityId: 't/local',
        status: 'failed',
        failureType: 'StepFailed',
        message: 'exit_code: expected 0, got 1',
        detail: { node: 'local' },
      },
      // The failure of an earlier try is the cause of a time-out on the wire; it must not pass for the result of this one.
      {
        at: at + 12,
        eventId: 12,
        kind: 'activity_finished',
        activityId: 'u/local',
        status: 'timed_out',
        failureType: 'Timeout',
        message: 'activity Heartbeat timeout',
      },
      { at: at + 13, eventId: 13, kind: 'activity_finished', activityId: 'v/local', status: 'cancelled', detail: { node: 'n' } },
      { at: at + 14, eventId: 14, kind: 'memo_journal', journal },
      { at: at + 16, eventId: 16, kind: 'child_started', workflowId: 'c', runId: 'cr', workflowType: 'testcase', input: { v: 1 } },
      { at: at + 17, eventId: 17, kind: 'signal', name: 'fault-state', payload: { step: 'k' } },
      {
        at: at + 18,
        eventId: 18,
        kind: 'child_finished',
        workflowId: 'c',
        status: 'failed',
        failureType: 'EngineBug',
        message: 'engine bug: y',
      },
      { at: at + 19, eventId: 19, kind: 'closed', status: 'completed', result: { verdict: 'passed', journal } },
    ]);
  });

  test('batches give the same facts, an event that comes again gives none', async () => {
    const events = await history();
    const whole = await decodeHistory(events, { workflowId: 'w', runId: 'r' }, converter);
    const decoder = createHistoryDecoder({ workflowId: 'w', runId: 'r' }, converter);
    expect(decoder.header()).toBeUndefined();
    const facts = [];
    for (let at = 0; at < events.length; at += 3) facts.push(...(await decoder.append(events.slice(Math.max(0, at - 2), at + 3))));
    expect(facts).toEqual(whole.facts);
    expect(decoder.header()?.workflowType).toBe('suite');
  });

  test('a history without its first event is refused', async () => {
    await expect(decodeHistory((await history()).slice(3), { workflowId: 'w', runId: 'r' }, converter)).rejects.toThrow('first event');
  });
});
