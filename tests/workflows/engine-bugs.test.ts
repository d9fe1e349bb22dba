import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FAILURE } from '../../dsl/model/workflow-io.ts';
import type { ShardResult } from '../../dsl/model/workflow-io.ts';
import type { Engine } from '../support/engine.ts';
import { startEngine } from '../support/engine.ts';
import { chaos, inject, localNode, plan, run, testcase } from '../support/plans.ts';

let engine: Engine;
beforeAll(async () => {
  const bug = (): never => {
    throw ApplicationFailure.create({ message: 'engine bug: made by the test', type: FAILURE.engineBug, nonRetryable: true });
  };
  engine = await startEngine({
    wrap: (real) => ({
      finalizeTestcases: (input) => (input.run.suite === 'loses records' ? bug() : real.finalizeTestcases(input)),
      runCommand: async (input) => {
        if (input.run.suite !== 'injects badly' || input.node.name !== 'bad' || !input.address.step.endsWith('/inject'))
          return real.runCommand(input);
        await new Promise((resolve) => setTimeout(resolve, 300));
        return bug();
      },
    }),
  });
}, 60_000);
afterAll(() => engine?.close());

const suite = (name: string) => ({ suite: { name, slug: 'bugs', file: 'suite.yaml', tags: [] } });
const activityEvents = async (workflowId: string): Promise<string[]> => {
  const names = new Map<string, string>();
  return (await engine.history(workflowId)).flatMap((event) => {
    const scheduled = event.activityTaskScheduledEventAttributes;
    if (scheduled) {
      names.set(String(event.eventId), scheduled.activityId as string);
      return [`scheduled ${scheduled.activityId}`];
    }
    const ended =
      event.activityTaskCompletedEventAttributes ?? event.activityTaskFailedEventAttributes ?? event.activityTaskCanceledEventAttributes;
    return ended ? [`ended ${names.get(String(ended.scheduledEventId))}`] : [];
  });
};

it('a lost record does not keep the reports from being written', async () => {
  const started = await engine.start(plan({ ...suite('loses records'), testcases: [testcase('t', [run('x', 'true')])] }));
  await expect(started.result()).rejects.toThrow('made by the test');
  expect(await activityEvents(started.id)).toContain('ended finalize-run');
});

it('a shard tells what its testcases came to beside the bug', async () => {
  const one = testcase('case', [run('x', 'true')]);
  const cells = Array.from({ length: 101 }, (_, index) => ({ id: `case[${index}]`, testcase: 'case', params: { n: index } }));
  const started = await engine.start(
    plan({ ...suite('loses records'), strategy: { maxParallel: 10, failFast: false }, testcases: [one], cells }),
  );
  await expect(started.result(100_000)).rejects.toThrow('made by the test');
  const result = (await engine.client.workflow.getHandle(`${started.id}/s2`).result()) as ShardResult;
  expect(result).toMatchObject({ testcases: [{ id: 'case[100]', verdict: 'passed' }], bug: 'engine bug: made by the test' });
}, 120_000);

it('a fault whose injection breaks on one node is undone when no other node injects any more', async () => {
  const cut = chaos('cut', 'sleep 20', 'true', { nodes: 'all' });
  const started = await engine.start(
    plan({
      ...suite('injects badly'),
      nodes: [localNode('good'), localNode('bad')],
      chaos: [cut],
      testcases: [testcase('t', [inject('cut')])],
    }),
  );
  await started.result().catch(() => undefined);
  const events = await activityEvents(started.fault('t', 'cut').workflowId);
  expect(events).toContain('scheduled recover/good');
  expect(events.indexOf('ended inject/good')).toBeGreaterThan(-1);
  expect(events.indexOf('ended inject/good')).toBeLessThan(events.indexOf('scheduled recover/good'));
}, 60_000);
