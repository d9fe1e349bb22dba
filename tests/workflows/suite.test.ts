import proto from '@temporalio/proto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SuiteResult } from '../../dsl/model/result.ts';
import type { Engine } from '../support/engine.ts';
import { startEngine } from '../support/engine.ts';
import { plan, run, testcase } from '../support/plans.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
}, 60_000);
afterAll(() => engine?.close());

const verdicts = (result: SuiteResult): Record<string, string> =>
  Object.fromEntries(result.testcases.map((each) => [each.id, each.verdict]));

describe('suite', () => {
  it('runs at most max_parallel testcases at a time, in written order', async () => {
    const step = run('x', 'echo "+${{ testcase.name }}" >> "$WORK/parallel"; sleep 0.4; echo "-${{ testcase.name }}" >> "$WORK/parallel"');
    const names = ['a', 'b', 'c', 'd', 'e'];
    const { result } = await engine.run(
      plan({ strategy: { maxParallel: 2, failFast: false }, testcases: names.map((name) => testcase(name, [step])) }),
    );
    expect(Object.keys(verdicts(result))).toEqual(names);
    let open = 0;
    let most = 0;
    const lines = engine.read('parallel').trim().split('\n');
    for (const line of lines) {
      open += line.startsWith('+') ? 1 : -1;
      most = Math.max(most, open);
    }
    expect(most).toBe(2);
    expect(
      lines
        .filter((line) => line.startsWith('+'))
        .slice(0, 2)
        .sort(),
    ).toEqual(['+a', '+b']);
  });

  it('stops after the first bad testcase with fail_fast', async () => {
    const { result } = await engine.run(
      plan({
        strategy: { maxParallel: 1, failFast: true },
        testcases: [testcase('one', [run('x', 'true')]), testcase('two', [run('x', 'false')]), testcase('three', [run('x', 'true')])],
      }),
    );
    expect(verdicts(result)).toEqual({ one: 'passed', two: 'failed', three: 'skipped' });
    expect(result.testcases[2]?.reason).toContain('fail_fast');
  });

  it('runs a testcase after those it needs, and skips it when they did not pass', async () => {
    const { result } = await engine.run(
      plan({
        strategy: { maxParallel: 2, failFast: false },
        testcases: [
          testcase('second', [run('x', 'test -e "$WORK/first"')], { needs: ['first'] }),
          testcase('first', [run('x', 'sleep 0.3; touch "$WORK/first"')]),
          testcase('bad', [run('x', 'false')]),
          testcase('after_bad', [run('x', 'true')], { needs: ['bad'] }),
          testcase('circle', [run('x', 'true')], { needs: ['circle'] }),
        ],
      }),
    );
    expect(verdicts(result)).toEqual({ second: 'passed', first: 'passed', bad: 'failed', after_bad: 'skipped', circle: 'skipped' });
  });

  it('splits more than a hundred testcases into shards, one after another', async () => {
    const one = testcase('case', [run('x', 'true')]);
    const cells = Array.from({ length: 103 }, (_, index) => ({ id: `case[${index}]`, testcase: 'case', params: { n: index } }));
    const failing = testcase('fails', [run('x', 'false')]);
    const { result, run: started } = await engine.run(
      plan({
        strategy: { maxParallel: 10, failFast: true },
        testcases: [one, failing],
        cells: [
          ...cells,
          { id: 'fails', testcase: 'fails', params: {} },
          ...Array.from({ length: 110 }, (_, index) => ({ id: `rest[${index}]`, testcase: 'case', params: {} })),
        ],
      }),
      100_000,
    );
    expect(result.testcases).toHaveLength(214);
    expect(result.testcases[103]).toMatchObject({ id: 'fails', verdict: 'failed' });
    expect(result.counts.skipped).toBeGreaterThan(95);
    expect(result.testcases.at(-1)).toMatchObject({ verdict: 'skipped' });
    expect((await engine.history(`${started.id}/s1`)).length).toBeLessThan(1_500);
    expect((await engine.history(started.id)).length).toBeLessThan(60);
  }, 120_000);

  it('shows its progress as a table', async () => {
    const { run: started } = await engine.run(
      plan({ testcases: [testcase('good', [run('x', 'true')]), testcase('bad|case', [run('x', 'false')])] }),
    );
    const metadata = await started.handle.query('__temporal_workflow_metadata');
    const details = (metadata as { currentDetails?: string }).currentDetails ?? '';
    expect(details).toContain('| 2 | 2 | 1 | 1 | 0 | 0 | 0 |');
    expect(details).toContain('bad\\|case');
    expect(details).toContain('/namespaces/{namespace}/workflows/');
  });

  it('sets search attributes only where the server has them', async () => {
    const without = await engine.start(plan({ testcases: [testcase('t', [run('x', 'true')])] }));
    await without.result();
    const plain = await without.testcase('t').describe();
    expect(plain.memo).toMatchObject({ title: 't' });
    expect(plain.typedSearchAttributes.getAll().map((pair) => pair.key.name)).not.toContain('OnetearRun');

    const { INDEXED_VALUE_TYPE_KEYWORD: KEYWORD, INDEXED_VALUE_TYPE_KEYWORD_LIST: KEYWORD_LIST } =
      proto.temporal.api.enums.v1.IndexedValueType;
    await engine.client.connection.operatorService.addSearchAttributes({
      namespace: engine.server.namespace,
      searchAttributes: {
        OnetearSuite: KEYWORD,
        OnetearRun: KEYWORD,
        OnetearTestcase: KEYWORD,
        OnetearVerdict: KEYWORD,
        OnetearTags: KEYWORD_LIST,
      },
    });
    const started = await engine.start(plan({ testcases: [testcase('t', [run('x', 'false')], { tags: ['smoke', 'fast'] })] }), {
      searchAttributes: true,
    });
    await started.result();
    const known = Object.fromEntries(
      (await started.testcase('t').describe()).typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]),
    );
    expect(known).toMatchObject({
      OnetearSuite: 'test suite',
      OnetearRun: started.info.run,
      OnetearTestcase: 't',
      OnetearVerdict: 'failed',
      OnetearTags: ['smoke', 'fast'],
    });
  });
});
