import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../support/engine.ts';
import { startEngine } from '../support/engine.ts';
import { chaos, command, hooks, inject, NO_ASSERT, HERE, other, plan, run, testcase } from '../support/plans.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ maxCachedWorkflows: 0 });
}, 60_000);
afterAll(() => engine?.close());

describe('a worker that remembers nothing', () => {
  it('replays every workflow from its first event at every task, and comes to the same end', async () => {
    const sample = { kind: 'sample' as const, subject: { command: 'check' }, match: { contains: ['ready'] } };
    const { result } = await engine.run(
      plan({
        strategy: { maxParallel: 3, failFast: false },
        commands: { check: command('echo ready', { name: 'check' }) },
        chaos: [chaos('cut', 'true', 'true', { durationMs: 300, background: true }), chaos('stay', 'true', 'echo undone >> "$WORK/stay"')],
        hooks: hooks({ before: ['true'], after: ['true'] }),
        testcases: [
          testcase('branches', [
            inject('cut', { needs: [] }),
            run('during', 'sleep 0.2', { needs: ['cut.verified'] }),
            run('beside', 'sleep 0.1', { needs: [] }),
            other('join', { kind: 'parallel' }, { needs: ['during', 'beside'] }),
            run('later', 'true', { needs: ['join', 'cut.recovered'] }),
          ]),
          testcase('waits', [
            other('both', {
              kind: 'wait',
              condition: { kind: 'all', of: [sample, { kind: 'expr', expr: 'true' }] },
              withinMs: 5_000,
              everyMs: 100,
            }),
            other('nap', { kind: 'sleep', durationMs: 100 }),
          ]),
          testcase('fails', [inject('stay'), run('bad', 'exit 1'), run('always', 'true', { if: 'always()' })], {
            hooks: hooks({ onFail: ['true'] }),
          }),
          testcase('asserts', [run('echo', 'echo hello')], {
            assert: { ...NO_ASSERT, eventually: [{ match: { contains: ['hello'] }, windowMs: 2_000, everyMs: 100, location: HERE }] },
          }),
        ],
      }),
    );
    expect(Object.fromEntries(result.testcases.map((each) => [each.id, each.verdict]))).toEqual({
      branches: 'passed',
      waits: 'passed',
      fails: 'failed',
      asserts: 'passed',
    });
    expect(engine.read('stay')).toBe('undone\n');
  });
});
