import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeHistory } from '../../activities/history/decode-history.ts';
import type { JournalEntry } from '../../dsl/model/journal.ts';
import type { SuiteResult, TestcaseResult } from '../../dsl/model/result.ts';
import { FAILURE, JOURNAL_MEMO } from '../../dsl/model/workflow-io.ts';
import { dataConverter } from '../../worker/data-converter.ts';
import { loadDataConverter } from '@temporalio/common/lib/internal-non-workflow/index.js';
import type { Engine } from '../support/engine.ts';
import { startEngine } from '../support/engine.ts';
import { command, hooks, localNode, NO_ASSERT, NO_RETRY, other, plan, run, testcase, HERE } from '../support/plans.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
}, 60_000);
afterAll(() => engine?.close());

const log = (file: string, text: string): string => `echo ${text} >> "$WORK/${file}"`;
const verdicts = (result: SuiteResult): Record<string, string> =>
  Object.fromEntries(result.testcases.map((each) => [each.id, each.verdict]));

/** Journal entries of a closed workflow, in order. */
async function journalOf(workflowId: string): Promise<JournalEntry[]> {
  const events = await engine.history(workflowId);
  const facts = await decodeHistory(events, { workflowId, runId: '' }, loadDataConverter(dataConverter));
  return facts.facts.flatMap((fact) => {
    if (fact.kind === 'activity_scheduled') return (fact.input as { journal?: JournalEntry[] }).journal ?? [];
    if (fact.kind === 'memo_journal') return fact.journal;
    if (fact.kind === 'closed') return ((fact.result ?? fact.detail) as TestcaseResult).journal;
    return [];
  });
}

describe('order and hooks', () => {
  it('runs suite hooks, testcase hooks and steps in order', async () => {
    const { result } = await engine.run(
      plan({
        testcases: [
          testcase('t', [run('one', log('order', 'one')), run('two', log('order', 'two'))], {
            hooks: hooks({ before: [log('order', 'before')], after: [log('order', 'after')], onFail: [log('order', 'on-fail')] }),
          }),
        ],
        hooks: hooks({
          before: [log('order', 'suite-before')],
          after: [log('order', 'suite-after')],
          onFail: [log('order', 'suite-on-fail')],
        }),
      }),
    );
    expect(result.verdict).toBe('passed');
    expect(result.counts).toEqual({ passed: 1, failed: 0, broken: 0, void: 0, skipped: 0, flaky: 0 });
    expect(engine.read('order')).toBe('suite-before\nbefore\none\ntwo\nafter\nsuite-after\n');
  });

  it('runs hooks of a command inside out, on_fail before after, and reports the failing step', async () => {
    const work = command(`${log('failing', 'work')}; exit 3`, {
      hooks: hooks({ onFail: [log('failing', 'command-on-fail')], after: [log('failing', 'command-after')] }),
    });
    const { result, run: started } = await engine.run(
      plan({
        testcases: [
          testcase('t', [run('work', work), run('later', log('failing', 'later'))], {
            hooks: hooks({ onFail: [`${log('failing', 'on-fail')}; exit 9`], after: [log('failing', 'after')] }),
          }),
        ],
        hooks: hooks({ onFail: [log('failing', 'suite-on-fail')] }),
      }),
    );
    expect(engine.read('failing')).toBe('work\ncommand-on-fail\ncommand-after\non-fail\nafter\nsuite-on-fail\n');
    expect(result.verdict).toBe('failed');
    expect(result.testcases[0]?.reason).toContain('exit');
    const closed = await started.testcase('t').describe();
    expect(closed.status.name).toBe('FAILED');
    const entries = await journalOf(started.testcase('t').workflowId);
    const finished = entries.filter((entry) => entry.type === 'step_finished').map((entry) => `${entry.step} ${entry.verdict}`);
    expect(finished).toEqual([
      'work/on_fail#1 passed',
      'work/after#1 passed',
      'work failed',
      'later skipped',
      'testcase.on_fail#1 failed',
      'testcase.after#1 passed',
    ]);
  });

  it('breaks the testcase when before fails, and makes a pass broken when after fails', async () => {
    const { result } = await engine.run(
      plan({
        testcases: [
          testcase('before', [run('no', log('never', 'no'))], { hooks: hooks({ before: ['exit 1'], after: [log('ran', 'after')] }) }),
          testcase('after', [run('yes', 'true')], { hooks: hooks({ after: ['exit 1'] }) }),
          testcase('command', [run('no', command(log('never', 'no'), { hooks: hooks({ before: ['exit 1'] }) }))]),
        ],
      }),
    );
    expect(verdicts(result)).toEqual({ before: 'broken', after: 'broken', command: 'broken' });
    expect(existsSync(engine.file('never'))).toBe(false);
    expect(engine.read('ran')).toBe('after\n');
  });

  it('breaks every testcase when the before hook of the suite fails, and still runs after', async () => {
    const { result } = await engine.run(
      plan({
        testcases: [testcase('a', [run('x', log('never', 'x'))]), testcase('b', [run('x', 'true')])],
        hooks: hooks({ before: ['exit 1'], after: [log('suite-after', 'yes')] }),
      }),
    );
    expect(verdicts(result)).toEqual({ a: 'broken', b: 'broken' });
    expect(engine.read('suite-after')).toBe('yes\n');
    expect(existsSync(engine.file('never'))).toBe(false);
  });
});

describe('history', () => {
  it('costs exactly six events per serial step', async () => {
    const serial = (count: number) =>
      plan({
        testcases: [
          testcase(
            't',
            Array.from({ length: count }, (_, index) => run(`s${index}`, 'true')),
          ),
        ],
      });
    const short = await engine.run(serial(3));
    const long = await engine.run(serial(13));
    const events = async (id: string): Promise<number> => (await engine.history(id)).length;
    expect((await events(long.run.testcase('t').workflowId)) - (await events(short.run.testcase('t').workflowId))).toBe(60);
    const entries = await journalOf(long.run.testcase('t').workflowId);
    expect(entries.filter((entry) => entry.type === 'step_finished')).toHaveLength(13);
    expect(entries.filter((entry) => entry.type === 'step_started')).toHaveLength(13);
  });

  it('shows the end of a parallel branch before the other branch ends', async () => {
    const { run: started } = await engine.run(
      plan({
        testcases: [
          testcase('t', [
            run('quick', 'true', { needs: [] }),
            run('slow', 'sleep 1.5', { needs: [] }),
            other('join', { kind: 'parallel' }, { needs: ['quick', 'slow'] }),
          ]),
        ],
      }),
    );
    const events = await engine.history(started.testcase('t').workflowId);
    const memo = events.findIndex((event) => event.workflowPropertiesModifiedEventAttributes?.upsertedMemo?.fields?.[JOURNAL_MEMO]);
    const last = events.findLastIndex((event) => event.activityTaskCompletedEventAttributes);
    expect(memo).toBeGreaterThan(0);
    expect(memo).toBeLessThan(last);
    expect(events.filter((event) => event.workflowPropertiesModifiedEventAttributes)).toHaveLength(1);
  });

  it('gives activities readable ids and a summary', async () => {
    const { run: started } = await engine.run(
      plan({ testcases: [testcase('t', [run('greet', command('true', { description: 'says hello' }))])] }),
    );
    const scheduled = (await engine.history(started.testcase('t').workflowId)).find((event) => event.activityTaskScheduledEventAttributes);
    expect(scheduled?.activityTaskScheduledEventAttributes?.activityId).toBe('greet/local');
    expect(Buffer.from(scheduled?.userMetadata?.summary?.data ?? []).toString()).toBe('"says hello"');
  });
});

describe('conditions', () => {
  it('skips after a failure unless `if` says otherwise', async () => {
    const { result } = await engine.run(
      plan({
        testcases: [
          testcase('t', [
            run('fail', 'exit 3'),
            run('default', log('cond', 'default')),
            run('condition', log('cond', 'condition'), { if: '1 == 1' }),
            run('failure', log('cond', 'failure'), { if: 'failure()' }),
            run('success', log('cond', 'success'), { if: 'success()' }),
            run('always', log('cond', 'always'), { if: 'always()' }),
          ]),
          testcase('skipped', [run('x', log('cond', 'never'))], { if: 'params.x > 1' }),
          testcase('broken', [run('x', log('cond', 'never'))], { if: 'params.nothing > 1' }),
        ],
        cells: [
          { id: 't', testcase: 't', params: {} },
          { id: 'skipped', testcase: 'skipped', params: { x: 1 } },
          { id: 'broken', testcase: 'broken', params: { x: 1 } },
        ],
      }),
    );
    expect(engine.read('cond')).toBe('failure\nalways\n');
    expect(verdicts(result)).toEqual({ t: 'failed', skipped: 'skipped', broken: 'broken' });
  });

  it('lets a failed step pass over with continue_on_error', async () => {
    const { result } = await engine.run(
      plan({ testcases: [testcase('t', [run('fail', 'exit 3', { continueOnError: true }), run('next', log('continued', 'next'))])] }),
    );
    expect(result.verdict).toBe('passed');
    expect(engine.read('continued')).toBe('next\n');
  });

  it('survives steps named like parts of every object, and breaks on marks that cannot be rendered', async () => {
    const { result } = await engine.run(
      plan({
        testcases: [
          testcase('names', [
            run('constructor', 'echo built', { keepStdout: true }),
            run('toString', command('test "${{ steps["constructor"].stdout.trim() }}" = built')),
          ]),
          testcase('mark', [run('x', command('echo ${{ steps.nowhere.stdout }}'))]),
        ],
      }),
    );
    expect(verdicts(result)).toEqual({ names: 'passed', mark: 'broken' });
    expect(result.testcases[1]?.reason).toContain('nowhere');
  });

  it('skips what requires is not met, and says why', async () => {
    const requires = [{ cmd: 'exit 4', msg: 'needs a moon', location: HERE }];
    const one = await engine.run(plan({ testcases: [testcase('t', [run('x', log('never', 'x'))], { requires })] }));
    expect(one.result.testcases[0]).toMatchObject({ verdict: 'skipped', reason: 'needs a moon' });
    const all = await engine.run(plan({ testcases: [testcase('t', [run('x', log('never', 'x'))])], requires }));
    expect(all.result).toMatchObject({ verdict: 'skipped', cancelled: false });
    expect(all.result.testcases[0]).toMatchObject({ verdict: 'skipped', reason: 'needs a moon', attempts: 0 });
  });
});

describe('nodes', () => {
  const nodes = ['a', 'b', 'c'].map(localNode);

  it('runs on every selected node and compares them', async () => {
    const equal = (cmd: string) => command(cmd, { nodes: 'all', expect: { all_equal: true } });
    const { result, run: started } = await engine.run(
      plan({
        nodes,
        testcases: [
          testcase('same', [run('x', equal('echo same'))]),
          testcase('differ', [run('x', equal('echo ${{ node.name }}'))]),
          testcase('outputs', [
            run('x', command('echo on-${{ node.name }}', { nodes: 'b', outputs: { where: 'stdout.trim()' } })),
            run('y', command('test ${{ steps.x.outputs.where }} = on-b')),
          ]),
        ],
      }),
    );
    expect(verdicts(result)).toEqual({ same: 'passed', differ: 'failed', outputs: 'passed' });
    expect(result.testcases[1]?.reason).toContain('all_equal');
    const scheduled = (await engine.history(started.testcase('same').workflowId)).flatMap(
      (event) => event.activityTaskScheduledEventAttributes?.activityId ?? [],
    );
    expect(scheduled.sort()).toEqual(['x/a', 'x/b', 'x/c']);
  });

  it('stops at the first bad node with max_parallel 1', async () => {
    const one = command('echo ${{ node.name }} >> "$WORK/one-by-one"; test ${{ node.name }} != b', { nodes: 'all', maxParallel: 1 });
    const { result } = await engine.run(plan({ nodes, testcases: [testcase('t', [run('x', one)])] }));
    expect(engine.read('one-by-one')).toBe('a\nb\n');
    expect(result.testcases[0]?.reason).toMatch(/^b: /);
  });
});

describe('tries and attempts', () => {
  it('is flaky when a later try passed', async () => {
    const thrice = command('echo x >> "$WORK/tries"; test "$(wc -l < "$WORK/tries")" -ge 3', { retry: { ...NO_RETRY, max: 3 } });
    const { result } = await engine.run(plan({ testcases: [testcase('t', [run('x', thrice)])] }));
    expect(result).toMatchObject({ verdict: 'passed', counts: { flaky: 1 } });
  });

  it('tries the whole testcase again after its after hooks', async () => {
    const { result, run: started } = await engine.run(
      plan({
        testcases: [
          testcase('t', [run('x', 'echo step >> "$WORK/attempts"; test "$(grep -c step "$WORK/attempts")" -ge 2')], {
            retry: { ...NO_RETRY, max: 3 },
            hooks: hooks({ after: ['echo after >> "$WORK/attempts"'] }),
          }),
        ],
      }),
    );
    expect(engine.read('attempts')).toBe('step\nafter\nstep\nafter\n');
    expect(result.testcases[0]).toMatchObject({ verdict: 'passed', flaky: true, attempts: 2 });
    expect((await started.testcase('t', 1).describe()).status.name).toBe('FAILED');
    expect((await started.testcase('t', 2).describe()).status.name).toBe('COMPLETED');
  });
});

describe('waiting and asserts', () => {
  it('waits for samples and expressions, and fails when they do not come', async () => {
    const commands = { check: command('cat "$WORK/state"', { name: 'check' }) };
    const sample = (contains: string) => ({ kind: 'sample' as const, subject: { command: 'check' }, match: { contains: [contains] } });
    const wait = (condition: Parameters<typeof other>[1] & { kind: 'wait' }) => condition;
    const { result } = await engine.run(
      plan({
        commands,
        testcases: [
          testcase('reached', [
            run('start', 'echo starting > "$WORK/state"; (sleep 0.7; echo ready > "$WORK/state") > /dev/null 2>&1 &'),
            other('ready', wait({ kind: 'wait', condition: sample('ready'), withinMs: 8_000, everyMs: 100 })),
            other(
              'both',
              wait({
                kind: 'wait',
                condition: { kind: 'all', of: [sample('ready'), { kind: 'expr', expr: '1 + 1 == 2' }] },
                withinMs: 3_000,
                everyMs: 100,
              }),
            ),
            other(
              'either',
              wait({
                kind: 'wait',
                condition: { kind: 'any', of: [sample('never'), { kind: 'expr', expr: 'true' }] },
                withinMs: 20_000,
                everyMs: 100,
              }),
            ),
          ]),
          testcase('missed', [other('w', wait({ kind: 'wait', condition: sample('unheard-of'), withinMs: 300, everyMs: 100 }))]),
          testcase('false', [other('w', wait({ kind: 'wait', condition: { kind: 'expr', expr: '1 == 2' }, withinMs: 100, everyMs: 100 }))]),
          testcase('beside', [
            run('work', 'sleep 0.3', { needs: [] }),
            other(
              'w',
              wait({ kind: 'wait', condition: { kind: 'expr', expr: 'steps.work.verdict == "passed"' }, withinMs: 5_000, everyMs: 100 }),
              { needs: [] },
            ),
            other('rest', { kind: 'sleep', durationMs: 100 }),
          ]),
        ],
      }),
    );
    expect(verdicts(result)).toEqual({ reached: 'passed', missed: 'failed', false: 'failed', beside: 'passed' });
    expect(result.testcases[1]?.reason).toContain('unheard-of');
  });

  it('asserts over the last command, over marks and expressions', async () => {
    const count = command('echo x >> "$WORK/samples"; echo "n=$(wc -l < "$WORK/samples" | tr -d " ")"', { expect: { equals: 'n=1' } });
    const sampled = (match: object, windowMs: number) => ({ match, windowMs, everyMs: 100, location: HERE });
    const cases = {
      eventually: {
        ...NO_ASSERT,
        eventually: [sampled({ contains: ['n=3'] }, 5_000)],
        expr: [{ expr: 'steps.count.exit_code == 0', location: HERE }],
      },
      never: { ...NO_ASSERT, never: [sampled({ contains: ['quick'] }, 200)], always: [sampled({ exit_code: 0 }, 200)] },
      within: { ...NO_ASSERT, within: [{ from: 'count.started', until: 'count.finished', maxMs: 10_000, location: HERE }] },
      late: { ...NO_ASSERT, within: [{ from: 'testcase.started', until: 'count.recovered', maxMs: 10_000, location: HERE }] },
      backwards: { ...NO_ASSERT, within: [{ from: 'count.finished', until: 'count.started', maxMs: 10_000, location: HERE }] },
      untrue: { ...NO_ASSERT, expr: [{ expr: 'steps.count.exit_code == 1', location: HERE }] },
    };
    const quick = command('echo quick');
    const { result } = await engine.run(
      plan({
        testcases: Object.entries(cases).map(([name, assert]) =>
          testcase(name, [run('count', name === 'eventually' ? count : quick)], { assert }),
        ),
      }),
    );
    expect(verdicts(result)).toEqual({
      eventually: 'passed',
      never: 'failed',
      within: 'passed',
      late: 'failed',
      backwards: 'failed',
      untrue: 'failed',
    });
    expect(engine.read('samples')).toBe('x\nx\nx\n');
    expect(result.testcases.map((each) => each.reason)).toEqual([
      null,
      expect.any(String),
      null,
      expect.stringContaining('count.recovered never came'),
      'within: count.finished to count.started at most 10s, but count.started came before count.finished',
      'steps.count.exit_code == 1 is false',
    ]);
  });
});

describe('bugs of ours', () => {
  it('fails the run with EngineBug, after cleanup, instead of retrying a workflow task for ever', async () => {
    const broken = testcase('t', [run('x', 'true'), run('y', 'true')], { hooks: hooks({ after: [log('after-bug', 'after')] }) });
    // A plan that no compiler makes.
    const [x, y] = broken.steps;
    const impossible = { ...broken, steps: [x, { ...y, kind: 'sleep', durationMs: 'five minutes please' }] };
    const started = await engine.start(plan({ testcases: [impossible as unknown as typeof broken] }));
    const error = await started.result().catch((failure: unknown) => failure);
    expect(error).toMatchObject({ type: FAILURE.engineBug });
    expect(engine.read('after-bug')).toBe('after\n');
  });
});
