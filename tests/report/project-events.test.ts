import { array, assert, nat, property } from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RunEvent } from '../../dsl/model/events.ts';
import { createEventProjector } from '../../report/project-events.ts';
import { recordEvents, runFrameEvents, suiteStepEvents } from '../../report/record-events.ts';
import type { WorkflowFacts } from '../../report/facts.ts';
import { finishedRun, records } from './finished-sample.ts';
import { everyHistory, makeFacts, nodeResult, sample, sampleSuiteInput, stepFinished, stepStarted, T0 } from './sample-run.ts';

function short(event: RunEvent): string {
  if (event.type === 'testcase_started') return `+ ${event.testcase} a${event.attempt}`;
  if (event.type === 'step_started') return `  + ${event.testcase}/${event.step}`;
  if (event.type === 'fault') return `  ! ${event.step}@${event.node} ${event.state}`;
  if (event.type === 'testcase_finished') return `- ${event.testcase} a${event.attempt} ${event.verdict}`;
  if (event.type === 'run_finished') return `= ${event.verdict} ${event.exit}`;
  if (event.type !== 'step_finished') return event.type;
  const results = event.results.map((result) => `${result.node}=${result.exit_code}`).join(',');
  return `  - ${event.testcase}/${event.step} ${event.verdict} ${results}`;
}

/** Feeds chunks of the histories in the given order: each number picks the history whose next fact comes. */
function follow(histories: readonly WorkflowFacts[], picks: readonly number[]): RunEvent[] {
  const projector = createEventProjector();
  const next = histories.map(() => 0);
  const out: RunEvent[] = [];
  const feed = (index: number, count: number): void => {
    const { facts, ...header } = histories[index] as WorkflowFacts;
    const from = next[index] ?? 0;
    out.push(...projector.add(header, facts.slice(from, from + count)));
    next[index] = from + count;
  };
  for (const pick of picks) feed(pick % histories.length, 1);
  for (const index of histories.keys()) feed(index, 1000);
  expect(projector.finished()).toBe(true);
  return out;
}

/** What the identity of an event is made of, and what else must not depend on how it was read. */
function identity(event: RunEvent): string {
  const { ts: _ts, ...rest } = event;
  return JSON.stringify(rest);
}

/** A fault that is undone after its testcase is told only to those who still listen: no record waits for it. */
function toldLate(event: RunEvent): boolean {
  return event.type === 'fault' && event.node === 'n2' && event.state === 'recovered';
}

describe('event projector', () => {
  test('tells a run in order', () => {
    expect(follow(everyHistory, []).map(short)).toMatchInlineSnapshot(`
      [
        "run_started",
        "  + /suite.before#1",
        "  - /suite.before#1 passed local=0",
        "- late a0 skipped",
        "+ good a1",
        "  + good/testcase.before#1",
        "  - good/testcase.before#1 passed local=0",
        "  + good/one",
        "  - good/one passed local=0",
        "- good a1 passed",
        "+ hostile[a|b-<1>] a1",
        "  + hostile[a|b-<1>]/bad",
        "  - hostile[a|b-<1>]/bad failed local=1",
        "  - hostile[a|b-<1>]/after skipped ",
        "- hostile[a|b-<1>] a1 failed",
        "+ flaky a1",
        "  + flaky/try",
        "  - flaky/try broken local=null",
        "- flaky a1 broken",
        "+ flaky a2",
        "  + flaky/try",
        "  - flaky/try passed local=0",
        "- flaky a2 passed",
        "+ faulty a1",
        "  + faulty/kill",
        "  - faulty/kill passed n1=0,n2=0",
        "  ! kill@n1 planned",
        "  ! kill@n2 planned",
        "  ! kill@n1 verified",
        "  ! kill@n2 verified",
        "  ! kill@n1 recovering",
        "  ! kill@n2 recovering",
        "  ! kill@n1 recovered",
        "  ! kill@n2 owed",
        "  ! kill@n2 recovered",
        "- faulty a1 broken",
        "= failed 10",
      ]
    `);
  });

  test('the same events whatever the order of reading, never twice, each testcase whole', () => {
    const expected = follow(everyHistory, [])
      .filter((event) => !toldLate(event))
      .map(identity)
      .toSorted();
    assert(
      property(array(nat(everyHistory.length - 1), { maxLength: 120 }), (picks) => {
        const events = follow(everyHistory, picks);
        expect(
          events
            .filter((event) => !toldLate(event))
            .map(identity)
            .toSorted(),
        ).toEqual(expected);
        expect(events[0]?.type).toBe('run_started');
        expect(events.at(-1)?.type).toBe('run_finished');
        const lines = events.map(short);
        for (const name of ['good', 'faulty']) {
          const mine = events.flatMap((event, index) => ('testcase' in event && event.testcase === name ? [index] : []));
          expect(lines[mine[0] ?? 0]).toBe(`+ ${name} a1`);
          const end = lines.findIndex((line) => line.startsWith(`- ${name} a1`));
          const own = events.flatMap((event, index) => (event.type === 'step_finished' && event.testcase === name ? [index] : []));
          for (const index of own) expect(index).toBeLessThan(end);
        }
      }),
      { numRuns: 150, seed: 1 },
    );
  });

  test('feeding facts again tells nothing', () => {
    const projector = createEventProjector();
    const { facts, ...header } = sample.suite;
    expect(projector.add(header, facts.slice(0, 3)).length).toBeGreaterThan(1);
    expect(projector.add(header, facts.slice(0, 3))).toEqual([]);
  });

  test('a finished step waits for the results it names', () => {
    const suite = makeFacts('suite', 's', T0, sampleSuiteInput, [
      {
        kind: 'activity_scheduled',
        at: T0,
        activityId: 'a/local',
        activityType: 'runCommand',
        input: { address: {}, node: { name: 'local' }, journal: [stepStarted('a', T0)] },
      },
      { kind: 'memo_journal', at: T0 + 5, journal: [stepFinished('a', T0, T0 + 5), stepStarted('b', T0 + 5)] },
      { kind: 'activity_finished', at: T0 + 9, activityId: 'a/local', status: 'cancelled' },
    ]);
    const projector = createEventProjector();
    const { facts, ...header } = suite;
    expect(projector.add(header, facts.slice(0, 2)).map(short)).toEqual(['run_started', '  + /a', '  + /b']);
    expect(projector.add(header, facts.slice(2)).map(short)).toEqual(['  - /a passed local=null']);
  });

  test('open workflows are those whose end was not fed', () => {
    const projector = createEventProjector();
    for (const { facts, ...header } of [sample.suite, sample.good])
      projector.add(header, header.workflowType === 'suite' ? facts.slice(0, -1) : facts);
    const open = projector.open().map((workflow) => workflow.workflowId.split('/').slice(-2).join('/'));
    expect(open).toEqual([sample.suite.workflowId.split('/').slice(-2).join('/'), 'hostile/a1', 'flaky/a1', 'flaky/a2', 'faulty/a1']);
  });

  test('a terminated testcase is broken, its open step too; a failed suite is an error', () => {
    const child = makeFacts('testcase', sample.good.workflowId, T0 + 1000, sample.good.input, [
      ...sample.good.facts.slice(0, 3).map(({ eventId: _eventId, ...body }) => body as never),
      { kind: 'closed', at: T0 + 1300, status: 'terminated', message: 'by hand' },
    ]);
    const suite = makeFacts('suite', 's', T0, sampleSuiteInput, [
      {
        kind: 'child_started',
        at: T0 + 1000,
        workflowId: child.workflowId,
        runId: child.runId,
        workflowType: 'testcase',
        input: child.input,
      },
      { kind: 'closed', at: T0 + 1400, status: 'failed', failureType: 'EngineBug', message: 'engine bug: x is not a function' },
    ]);
    const projector = createEventProjector();
    const events = [child, suite].flatMap(({ facts, ...header }) => projector.add(header, facts));
    expect(events.map(short).slice(-5)).toEqual([
      '  - good/testcase.before#1 passed local=0',
      '  + good/one',
      '  - good/one broken ',
      '- good a1 broken',
      'error',
    ]);
    const end = events.find((event) => event.type === 'testcase_finished');
    expect(end).toMatchObject({ verdict: 'broken', reason: 'workflow terminated: by hand' });
    expect(events.at(-1)).toMatchObject({ type: 'error', exit: 3, message: 'the run has no result: engine bug: x is not a function' });
  });
});

describe('record events', () => {
  test('say the same as the live projection', () => {
    const frame = runFrameEvents(finishedRun);
    const fromRecords = [frame.first, ...suiteStepEvents(finishedRun), ...records.flatMap(recordEvents), frame.last].map(identity);
    const live = follow(everyHistory, []).filter((event) => !toldLate(event));
    expect(fromRecords.toSorted()).toEqual(live.map(identity).toSorted());
  });

  test('texts are capped and valid UTF-8', () => {
    const long = nodeResult({
      stdout: { text: 'é'.repeat(9000), bytes: 1_000_000, truncated: true, artifact: `sha256:${'0'.repeat(64)}` },
    });
    const record = { ...records[0]!, steps: [{ ...records[0]!.steps[0]!, results: [long] }] };
    const event = recordEvents(record).find((each) => each.type === 'step_finished');
    const result = event?.type === 'step_finished' ? event.results[0] : undefined;
    expect(Buffer.byteLength(result?.stdout ?? '')).toBeLessThanOrEqual(8192);
    expect(result?.stdout).toMatch(/é\n… 99\d{4} bytes left out …\né/u);
    expect(result?.artifact).toBe('artifacts/good.a1/testcase.before%231/local.stdout.txt');
    expect(JSON.stringify(records.flatMap(recordEvents))).not.toMatch(/\\ud[89a-f]/iu);
  });
});
