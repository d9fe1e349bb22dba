import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { homePaths } from '../../activities/store/home-paths.ts';
import { readHistory } from '../../activities/store/run-store.ts';
import type { Engine } from '../support/engine.ts';
import { startEngine } from '../support/engine.ts';
import { eventsOfRun, identity, stepEnds, writtenEvents } from '../support/follow.ts';
import { command, HERE, localNode, NO_ASSERT, plan, run, testcase } from '../support/plans.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
}, 60_000);
afterAll(() => engine?.close());

const COUNT = 40;
const nodes = Array.from({ length: COUNT }, (_, index) => localNode(`n${index + 1}`));
const names = nodes.map((node) => node.name);

describe('a step on 40 nodes', () => {
  test('runs in a child of its testcase; every node is in events, record and expressions; partial failure is shown per node', async () => {
    const { run: started, result } = await engine.run(
      plan({
        nodes,
        testcases: [
          testcase(
            'wide',
            [
              run(
                'all',
                command('echo "I am $ONETEAR_NODE"; head -c 20000 /dev/zero | tr "\\0" x', {
                  nodes: 'all',
                  outputs: { me: 'stdout.size()' },
                }),
              ),
              run('same', command('echo equal', { nodes: 'all', expect: { all_equal: true } })),
              run('read', 'test ${{ steps.all.nodes["n37"].outputs.me }} -gt 20000 && echo ${{ steps.same.nodes["n40"].stdout }}'),
            ],
            {
              assert: {
                ...NO_ASSERT,
                always: [{ subject: { command: 'look' }, match: { exit_code: 0 }, windowMs: 100, everyMs: 100, location: HERE }],
              },
            },
          ),
          testcase('partial', [run('some', command('case $ONETEAR_NODE in n7|n31) exit 3 ;; esac', { nodes: 'all' }))]),
          testcase('differs', [
            run('differ', command('[ $ONETEAR_NODE = n9 ] && echo odd || echo even', { nodes: 'all', expect: { all_equal: true } })),
          ]),
          testcase('serial', [
            run('one', command('echo $ONETEAR_NODE >> "$WORK/serial"; [ $ONETEAR_NODE != n3 ]', { nodes: 'all', maxParallel: 1 })),
          ]),
        ],
        commands: { look: command('true', { name: 'look', nodes: 'all' }) },
      }),
      90_000,
    );
    expect(result.testcases).toMatchObject([
      { id: 'wide', verdict: 'passed' },
      { id: 'partial', verdict: 'failed', reason: expect.stringMatching(/^n7: .*3.* \(and 1 more node\)$/) },
      { id: 'differs', verdict: 'failed', reason: expect.stringContaining('all_equal') },
      { id: 'serial', verdict: 'failed' },
    ]);
    expect(engine.read('serial')).toBe('n1\nn2\nn3\n');

    const live = await eventsOfRun(engine, started);
    expect(live.map(identity).toSorted()).toEqual(writtenEvents(started).map(identity).toSorted());
    const wide = stepEnds(live, 'wide').get('all');
    expect(wide?.results.map((each) => each.node)).toEqual(names);
    // The history of the testcase holds cut texts; events and artifacts have what the nodes said.
    expect(wide?.results[38]).toMatchObject({
      node: 'n39',
      stdout: expect.stringMatching(/^I am n39\nx{3000}/),
      stdout_bytes: 20_000 + 9,
      truncated: true,
    });
    expect(existsSync(path.join(started.info.resultsDir, wide?.results[38]?.artifact ?? ''))).toBe(true);
    const partial = stepEnds(live, 'partial').get('some');
    expect(partial?.results.flatMap((each) => (each.verdict === 'failed' ? [`${each.node} ${each.exit_code}`] : []))).toEqual([
      'n7 3',
      'n31 3',
    ]);
    expect(stepEnds(live, 'wide').get('assert.always#1')?.results).toHaveLength(COUNT);

    const parent = await engine.history(started.testcase('wide').workflowId);
    expect(parent.length).toBeLessThan(60);
    const child = await engine.history(`${started.testcase('wide').workflowId}/f/all`);
    expect(child.filter((event) => event.activityTaskCompletedEventAttributes)).toHaveLength(COUNT);
    expect(await readHistory(homePaths(path.join(engine.dir, 'home')), started.info.run, 'wide.a1.fanout.all')).toContain('n37');
    expect(readdirSync(path.join(started.info.resultsDir, 'testcases')).toSorted()).toEqual([
      'differs.a1.json',
      'partial.a1.json',
      'serial.a1.json',
      'wide.a1.json',
    ]);
  }, 120_000);

  test('is cut off by the timeout of its testcase, on every node, with that reason', async () => {
    const { run: started, result } = await engine.run(
      plan({
        nodes,
        testcases: [
          testcase('t', [run('long', command('touch "$WORK/l.$ONETEAR_NODE"; sleep 60', { nodes: 'all', maxParallel: 20 }))], {
            timeoutMs: 4_000,
          }),
        ],
      }),
      60_000,
    );
    expect(result.testcases).toMatchObject([{ verdict: 'failed', reason: 'testcase timeout after 4s' }]);
    const ended = stepEnds(await eventsOfRun(engine, started), 't').get('long');
    expect(ended).toMatchObject({ verdict: 'broken' });
    expect(ended?.reason).toContain('testcase timeout after 4s');
  }, 90_000);
});
