import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SuiteResult } from '../../dsl/model/result.ts';
import { SIGNAL } from '../../dsl/model/workflow-io.ts';
import type { Engine } from '../support/engine.ts';
import { startEngine } from '../support/engine.ts';
import { chaos, HERE, hooks, inject, localNode, other, plan, run, testcase } from '../support/plans.ts';
import { until } from '../support/temporal-server.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
}, 60_000);
afterAll(() => engine?.close());

const verdicts = (result: SuiteResult): Record<string, string> =>
  Object.fromEntries(result.testcases.map((each) => [each.id, each.verdict]));
const log = (file: string, text: string): string => `echo ${text} >> "$WORK/${file}"`;
const exists = (name: string): boolean => existsSync(engine.file(name));
const status = async (handle: { describe(): Promise<{ status: { name: string } }> }): Promise<string> =>
  (await handle.describe()).status.name;

/** Looks more often than `until`: what follows must come within half a second. */
async function untilQuick(holds: () => boolean): Promise<void> {
  for (let left = 2_000; left > 0 && !holds(); left--) await sleep(5);
  expect(holds()).toBe(true);
}

describe('a fault', () => {
  it('holds its duration, is undone, and then the next step runs', async () => {
    const cut = chaos('cut', 'touch "$WORK/cut"; date +%s%N > "$WORK/t0"', 'rm -f "$WORK/cut"; date +%s%N > "$WORK/t1"', {
      durationMs: 1_000,
      verify: { cmd: 'test -e "$WORK/cut"', withinMs: 2_000, everyMs: 100, match: {} },
    });
    const { result } = await engine.run(
      plan({ chaos: [cut], testcases: [testcase('t', [inject('cut'), run('gone', 'test ! -e "$WORK/cut"')])] }),
    );
    expect(result).toMatchObject({ verdict: 'passed', recovery: 'clean' });
    const heldMs = (Number(engine.read('t1')) - Number(engine.read('t0'))) / 1e6;
    expect(heldMs).toBeGreaterThan(950);
    expect(heldMs).toBeLessThan(6_000);
  });

  it('is void when it did not take effect, is undone, and stops the testcase', async () => {
    const miss = chaos('miss', log('tried', 'tried'), 'touch "$WORK/recovered"', {
      verify: { cmd: 'test -e "$WORK/effect"', withinMs: 300, everyMs: 100, match: {} },
    });
    const nothing = chaos('nothing', 'exit 1', 'touch "$WORK/recovered2"');
    const { result } = await engine.run(
      plan({
        chaos: [miss, nothing],
        testcases: [testcase('verified', [inject('miss'), run('next', 'touch "$WORK/next"')]), testcase('exited', [inject('nothing')])],
      }),
    );
    expect(verdicts(result)).toEqual({ verified: 'void', exited: 'void' });
    expect([exists('next'), exists('recovered'), exists('recovered2')]).toEqual([false, true, true]);
    expect(engine.read('tried')).toBe('tried\n');
  });

  it('stays until its recover step, or the end of the testcase: after asserts and on_fail, before after', async () => {
    const cut = chaos('cut', 'touch "$WORK/here"', 'rm -f "$WORK/here"');
    const { result } = await engine.run(
      plan({
        chaos: [cut],
        testcases: [
          testcase('explicit', [
            inject('cut'),
            run('in', 'test -e "$WORK/here"'),
            other('undo', { kind: 'recover', step: 'cut' }),
            run('out', 'test ! -e "$WORK/here"'),
          ]),
          testcase('failing', [inject('cut'), run('bad', 'exit 1')], {
            hooks: hooks({
              onFail: ['test -e "$WORK/here" && touch "$WORK/seen-in-on-fail"'],
              after: ['test ! -e "$WORK/here" && touch "$WORK/clean-in-after"'],
            }),
          }),
        ],
      }),
    );
    expect(verdicts(result)).toEqual({ explicit: 'passed', failing: 'failed' });
    expect([exists('seen-in-on-fail'), exists('clean-in-after')]).toEqual([true, true]);
  });

  it('is undone newest first', async () => {
    const faults = ['one', 'two', 'three'].map((name) => chaos(name, 'true', log('undo', name)));
    const { result } = await engine.run(
      plan({ chaos: faults, testcases: [testcase('t', [inject('one'), inject('two'), inject('three'), run('bad', 'exit 1')])] }),
    );
    expect(result).toMatchObject({ verdict: 'failed', recovery: 'clean' });
    expect(engine.read('undo')).toBe('three\ntwo\none\n');
  });

  it('gives moments that other steps need', async () => {
    const background = chaos('cut', log('moments', 'injected'), log('moments', 'undone'), {
      durationMs: 600,
      background: true,
      verify: { cmd: `sleep 0.7; ${log('moments', 'verified')}`, withinMs: 5_000, everyMs: 100, match: {} },
    });
    const { result } = await engine.run(
      plan({
        chaos: [background, chaos('never-undone', 'true', 'true')],
        testcases: [
          testcase('t', [
            inject('cut', { needs: [] }),
            run('during', log('moments', 'during'), { needs: ['beside', 'cut.verified'] }),
            run('beside', log('beside', '$(tail -n 1 "$WORK/moments")'), { needs: ['cut.started'] }),
            run('later', log('moments', 'later'), { needs: ['cut.recovered'] }),
          ]),
          testcase('hopeless', [inject('never-undone', { needs: [] }), run('waits', 'true', { needs: ['never-undone.recovered'] })]),
        ],
      }),
    );
    expect(verdicts(result)).toEqual({ t: 'passed', hopeless: 'passed' });
    expect(engine.read('moments')).toBe('injected\nverified\nduring\nundone\nlater\n');
    expect(engine.read('beside')).toBe('verified\n');
  });

  it('acts on all its nodes, with the values of the injection', async () => {
    const each = chaos('each', 'echo "in ${{ node.name }}" >> "$WORK/nodes"', 'echo "out ${{ node.name }}" >> "$WORK/nodes"', {
      nodes: 'all',
    });
    const { result } = await engine.run(
      plan({ nodes: [localNode('a'), localNode('b')], chaos: [each], testcases: [testcase('t', [inject('each')])] }),
    );
    expect(result.verdict).toBe('passed');
    const lines = engine.read('nodes').trim().split('\n');
    expect(lines.slice(0, 2).sort()).toEqual(['in a', 'in b']);
    expect(lines.slice(2).sort()).toEqual(['out a', 'out b']);
  });

  it('owes recovery when the undo is not confirmed in time, goes on trying, and tries at once when told', async () => {
    const stuck = chaos('stuck', 'true', undefined, {
      irreversible: false,
      durationMs: 100,
      recover: { run: 'shell', cmd: 'test -e "$WORK/allow" && echo undone >> "$WORK/stuck-undo"', withinMs: 1_500 },
    });
    const { result, run: started } = await engine.run(
      plan({
        chaos: [stuck],
        testcases: [
          testcase('t', [inject('stuck'), run('later', 'touch "$WORK/later"')], {
            retry: { max: 3, delayMs: 0, backoff: 1, maxDelayMs: 0, when: [] },
          }),
        ],
      }),
    );
    expect(result).toMatchObject({ verdict: 'broken', recovery: 'owed' });
    expect(result.testcases[0]).toMatchObject({ attempts: 1, reason: expect.stringContaining('recovery owed') });
    expect(result.owed).toHaveLength(1);
    expect(result.owed[0]?.undo).toContain(`WORK=${engine.dir}; test -e "$WORK/allow"`);
    expect(exists('later')).toBe(false);
    const fault = started.fault('t', 'stuck');
    expect(await status(fault)).toBe('RUNNING');
    await fault.signal(SIGNAL.release, { reason: 'by hand' });
    writeFileSync(engine.file('allow'), '');
    expect(await until(async () => (await status(fault)) === 'COMPLETED', 10_000)).toBe(true);
    expect(engine.read('stuck-undo')).toBe('undone\n');
  });
});

describe('a stop', () => {
  it('by cancel: undoes faults, runs always() and after hooks, skips the rest', async () => {
    const one = chaos('one', 'touch "$WORK/injected"', 'rm -f "$WORK/injected"; touch "$WORK/undone"');
    const started = await engine.start(
      plan({
        chaos: [one],
        testcases: [
          testcase(
            't',
            [
              inject('one'),
              run('long', 'touch "$WORK/long"; sleep 120'),
              run('not', 'touch "$WORK/not"'),
              run('late', 'touch "$WORK/always"', { if: 'always()' }),
            ],
            {
              hooks: hooks({ after: ['touch "$WORK/after-cancel"'] }),
              retry: { max: 3, delayMs: 0, backoff: 1, maxDelayMs: 0, when: [] },
            },
          ),
          testcase('not_started', [run('x', 'touch "$WORK/not"')]),
        ],
        hooks: hooks({ after: ['touch "$WORK/suite-after-cancel"'] }),
      }),
    );
    expect(await until(() => exists('long'), 15_000)).toBe(true);
    await started.handle.cancel();
    const result = await started.result();
    expect(result).toMatchObject({ verdict: 'broken', recovery: 'clean', cancelled: true });
    expect(verdicts(result)).toEqual({ t: 'broken', not_started: 'skipped' });
    expect(['undone', 'always', 'after-cancel', 'suite-after-cancel'].filter((name) => !exists(name))).toEqual([]);
    expect(['injected', 'not'].filter(exists)).toEqual([]);
  });

  it('by cancel before anything ran: nothing is started', async () => {
    const started = await engine.start(
      plan({
        testcases: [testcase('a', [run('x', 'touch "$WORK/too-late"')])],
        hooks: hooks({ before: ['sleep 30'], after: ['touch "$WORK/after-all"'] }),
      }),
    );
    await started.handle.cancel();
    const result = await started.result();
    expect(result).toMatchObject({ verdict: 'broken', cancelled: true });
    expect(verdicts(result)).toEqual({ a: 'skipped' });
    expect(exists('too-late')).toBe(false);
  });

  it('by the timeout of the suite in its before hook or requires: nothing was tested, which is not green', async () => {
    const slow = { timeoutMs: 500, testcases: [testcase('a', [run('x', 'true')])] };
    for (const parts of [
      { ...slow, hooks: hooks({ before: ['sleep 30'] }) },
      { ...slow, requires: [{ cmd: 'sleep 30', msg: 'never met', location: HERE }] },
    ] as const) {
      const { result } = await engine.run(plan(parts));
      expect(result).toMatchObject({ verdict: 'broken', cancelled: false, counts: { skipped: 1 } });
    }
  });

  it('while a before hook of a chaos ends well: nothing is injected, nothing held', async () => {
    const late = chaos('late', 'touch "$WORK/injected-late"', 'true', {
      durationMs: 60_000,
      hooks: hooks({ before: ['touch "$WORK/hook"; sleep 0.4'] }),
    });
    const started = await engine.start(plan({ chaos: [late], testcases: [testcase('t', [inject('late')])] }));
    await untilQuick(() => exists('hook'));
    await started.testcase('t').signal(SIGNAL.cancelTestcase, { reason: 'not wanted' });
    const result = await started.result(20_000);
    expect(result.testcases[0]).toMatchObject({ verdict: 'broken', reason: 'not wanted' });
    expect(exists('injected-late')).toBe(false);
  });

  it('by a signal to one testcase: the others go on', async () => {
    const started = await engine.start(
      plan({
        strategy: { maxParallel: 2, failFast: false },
        testcases: [testcase('a', [run('long', 'touch "$WORK/long-a"; sleep 120')]), testcase('b', [run('x', 'true')])],
      }),
    );
    expect(await until(() => exists('long-a'), 15_000)).toBe(true);
    await started.testcase('a').signal(SIGNAL.cancelTestcase, { reason: 'not wanted' });
    const result = await started.result();
    expect(verdicts(result)).toEqual({ a: 'broken', b: 'passed' });
    expect(result.testcases[0]?.reason).toBe('not wanted');
    expect(result.cancelled).toBe(false);
  });

  it('by the timeout of a testcase: failed, steps cancelled, recovery and hooks run', async () => {
    const one = chaos('one', 'true', 'touch "$WORK/undone-late"');
    const { result } = await engine.run(
      plan({
        chaos: [one],
        testcases: [
          testcase('t', [inject('one'), run('long', 'sleep 120')], {
            timeoutMs: 1_500,
            hooks: hooks({ after: ['touch "$WORK/after-timeout"'] }),
          }),
        ],
      }),
    );
    expect(result.testcases[0]).toMatchObject({ verdict: 'failed', reason: 'testcase timeout after 1.5s' });
    expect([exists('undone-late'), exists('after-timeout')]).toEqual([true, true]);
  });

  it('by the timeout of the suite: what runs is broken, what has not started is skipped', async () => {
    const { result } = await engine.run(
      plan({
        timeoutMs: 1_500,
        testcases: [
          testcase('quick', [run('x', 'true')]),
          testcase('slow', [run('x', 'sleep 120')], { hooks: hooks({ after: ['touch "$WORK/after-suite"'] }) }),
          testcase('waiting', [run('x', 'true')]),
        ],
      }),
    );
    expect(verdicts(result)).toEqual({ quick: 'passed', slow: 'broken', waiting: 'skipped' });
    expect(result).toMatchObject({ verdict: 'broken', cancelled: false });
    expect(result.testcases[1]?.reason).toBe('suite timeout after 1.5s');
    expect(exists('after-suite')).toBe(true);
  });

  it('by terminate of the testcase: the fault notices and undoes itself; nobody claims that it is clean', async () => {
    const one = chaos('one', 'touch "$WORK/killed"', 'rm -f "$WORK/killed"');
    const started = await engine.start(
      plan({ chaos: [one], testcases: [testcase('t', [inject('one'), run('long', 'touch "$WORK/long-t"; sleep 20')])] }),
    );
    expect(await until(() => exists('long-t'), 15_000)).toBe(true);
    await started.testcase('t').terminate('test');
    const result = await started.result();
    expect(result).toMatchObject({ verdict: 'broken', recovery: 'owed' });
    expect(await until(async () => (await status(started.fault('t', 'one'))) === 'COMPLETED', 15_000)).toBe(true);
    expect(exists('killed')).toBe(false);
  });

  it('by cancel of the fault itself: undone at once', async () => {
    const one = chaos('one', 'touch "$WORK/cancelled-fault"', 'rm -f "$WORK/cancelled-fault"', { durationMs: 60_000 });
    const started = await engine.start(plan({ chaos: [one], testcases: [testcase('t', [inject('one')])] }));
    expect(await until(() => exists('cancelled-fault'), 15_000)).toBe(true);
    await started.fault('t', 'one').cancel();
    await started.result();
    expect(exists('cancelled-fault')).toBe(false);
  });
});
