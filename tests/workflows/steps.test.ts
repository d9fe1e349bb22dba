import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../support/engine.ts';
import { startEngine } from '../support/engine.ts';
import { hooks, plan, run, testcase } from '../support/plans.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
}, 60_000);
afterAll(() => engine?.close());

describe('steps', () => {
  it('runs hooks and steps in order, each command as an activity', async () => {
    const log = (text: string): string => `echo ${text} >> "$WORK/order"`;
    const { result } = await engine.run(
      plan({
        testcases: [testcase('t', [run('one', log('one')), run('two', log('two'))], { hooks: hooks({ before: [log('before')], after: [log('after')] }) })],
        hooks: hooks({ before: [log('suite-before')], after: [log('suite-after')] }),
      }),
    );
    expect(result.verdict).toBe('passed');
    expect(result.counts).toEqual({ passed: 1, failed: 0, broken: 0, void: 0, skipped: 0, flaky: 0 });
    expect(engine.read('order')).toBe('suite-before\nbefore\none\ntwo\nafter\nsuite-after\n');
  });
});
