import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Node } from '../../dsl/model/node.ts';
import type { Engine } from '../support/engine.ts';
import { startEngine } from '../support/engine.ts';
import { eventsOfRun, identity, stepEnds, writtenEvents } from '../support/follow.ts';
import { chaos, command, HERE, hooks, inject, localNode, NO_ASSERT, other, plan, role, run, testcase } from '../support/plans.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
}, 60_000);
afterAll(() => engine?.close());

/** Local nodes with a state file each: `<prefix>.<name>` in the folder of the engine. */
const nodes: readonly Node[] = ['n1', 'n2', 'n3'].map((name) => ({ ...localNode(name), labels: { az: name.slice(1) } }));
const holder = (prefix: string, state = 'primary') => `grep -qx ${state} "$WORK/${prefix}.$ONETEAR_NODE"`;
const state = (prefix: string, states: { readonly [node: string]: string }): void => {
  for (const [node, text] of Object.entries(states)) writeFileSync(engine.file(`${prefix}.${node}`), `${text}\n`);
};
const verdicts = (result: { readonly testcases: readonly { readonly id: string; readonly verdict: string }[] }) =>
  Object.fromEntries(result.testcases.map((each) => [each.id, each.verdict]));

describe('roles', () => {
  test('are asked at every use, again and again until they hold; bind pins; everything stands in events and records', async () => {
    state('a', { n1: 'primary', n2: 'standby', n3: 'standby' });
    const whoIs = command('echo "$ONETEAR_STEP $ONETEAR_NODE" >> "$WORK/a.log"', { nodes: 'primary' });
    const { run: started, result } = await engine.run(
      plan({
        nodes,
        groups: { others: 'all:!primary' },
        roles: [
          role('primary', holder('a')),
          role('standby', holder('a', 'standby'), { expect: 'any', nodes: 'others' }),
          role('nobody', 'false', { expect: 0 }),
        ],
        testcases: [
          testcase(
            't',
            [
              run('first', whoIs),
              run('move', '( sleep 1.2; echo primary > "$WORK/a.n2" ) >/dev/null 2>&1 & echo down > "$WORK/a.n1"'),
              run('second', whoIs),
              run(
                'old',
                command('echo "old $ONETEAR_NODE ${{ bind.old.labels.az }} ${{ roles.primary.name }}" >> "$WORK/a.log"', {
                  nodes: '${{ bind.old }}',
                }),
              ),
              run('slice', command('echo "slice $ONETEAR_NODE" >> "$WORK/a.log"', { nodes: 'standby[0]' })),
              run('marked', command('echo "marked $ONETEAR_NODE" >> "$WORK/a.log"', { nodes: '${{ "all:!" + "primary:!n1" }}' })),
              run('conditional', 'true', { if: 'roles.primary.name == "n2" && roles.nobody.all.size() == 0' }),
              run('never', 'true', { if: 'roles.primary.name == "n1"' }),
              other('moved', {
                kind: 'wait',
                condition: { kind: 'expr', expr: 'roles.primary.name != bind.old.name' },
                withinMs: 5_000,
                everyMs: 100,
              }),
            ],
            {
              bind: { old: 'primary' },
              if: 'bind.old.name == "n1" && roles.standby.all.size() == 2',
              assert: {
                ...NO_ASSERT,
                expr: [{ expr: 'roles.primary.host == "localhost" && roles.standby.all.exists(n, n.name == "n3")', location: HERE }],
              },
            },
          ),
        ],
      }),
    );
    expect(result.testcases).toMatchObject([{ id: 't', verdict: 'passed' }]);
    expect(readFileSync(engine.file('a.log'), 'utf8')).toBe('first n1\nsecond n2\nold n1 1 n2\nslice n3\nmarked n3\n');

    const live = await eventsOfRun(engine, started);
    expect(live.map(identity).toSorted()).toEqual(writtenEvents(started).map(identity).toSorted());
    const ends = stepEnds(live, 't');
    expect(ends.get('testcase.bind.old')).toMatchObject({ kind: 'hook', phase: 'before', nodes: ['n1'], outputs: { node: 'n1' } });
    expect(ends.get('second/role.primary')).toMatchObject({
      kind: 'hook',
      verdict: 'passed',
      nodes: ['n1', 'n2', 'n3'],
      outputs: { nodes: ['n2'] },
      results: [
        { node: 'n1', verdict: 'failed' },
        { node: 'n2', verdict: 'passed', exit_code: 0 },
        { node: 'n3', verdict: 'failed', exit_code: 1 },
      ],
    });
    expect(ends.get('second/role.primary')?.outputs['rounds']).toBeGreaterThan(1);
    // `slice` names standby, whose own nodes name primary: both are asked, only the others are candidates.
    expect(ends.get('slice/role.standby')).toMatchObject({ outputs: { nodes: ['n3'] } });
    expect(ends.get('marked/nodes/role.primary')).toMatchObject({ verdict: 'passed' });
    expect(ends.get('never')).toMatchObject({ verdict: 'skipped' });
    expect(ends.get('moved/role.primary')).toMatchObject({ outputs: { nodes: ['n2'], rounds: 1 } });
    const order = live.flatMap((event) => (event.type === 'step_started' && event.step.startsWith('second') ? [event.step] : []));
    expect(order).toEqual(['second/role.primary', 'second']);
  }, 60_000);

  test('that do not hold fail their step with an answer per node; nothing runs', async () => {
    state('b', { n1: 'primary', n2: 'primary', n3: 'standby' });
    const primary = role('primary', `cat "$WORK/b.$ONETEAR_NODE"`, { match: { equals: 'primary' }, withinMs: 600 });
    const { run: started, result } = await engine.run(
      plan({
        nodes,
        roles: [
          primary,
          { ...primary, name: 'leader', match: { equals: 'leader' } },
          role('slow', 'sleep 30', { withinMs: 1_000, timeoutMs: 1_000 }),
        ],
        testcases: [
          testcase('two', [
            run('on_primary', command('touch "$WORK/b.ran"', { nodes: 'primary', hooks: hooks({ before: ['touch "$WORK/b.ran"'] }) })),
            run('after', 'true'),
          ]),
          testcase('none', [run('on_leader', command('touch "$WORK/b.ran"', { nodes: 'leader' }))]),
          testcase('bound', [run('x', 'touch "$WORK/b.ran"')], { bind: { old: 'leader' } }),
          testcase('many', [run('x', 'touch "$WORK/b.ran"')], { bind: { one: 'all:!n3' } }),
          testcase('slow', [run('x', command('touch "$WORK/b.ran"', { nodes: 'slow' }))]),
          testcase('nothing', [run('x', command('touch "$WORK/b.ran"', { nodes: '${{ "n1:&n2" }}' }))]),
          testcase('expr', [run('x', 'true')], { assert: { ...NO_ASSERT, expr: [{ expr: 'roles.leader.name == "n1"', location: HERE }] } }),
          testcase('waits', [
            other('w', { kind: 'wait', condition: { kind: 'expr', expr: 'roles.primary.all.size() == 3' }, withinMs: 400, everyMs: 100 }),
          ]),
        ],
      }),
    );
    expect(verdicts(result)).toEqual({
      two: 'failed',
      none: 'failed',
      bound: 'failed',
      many: 'broken',
      slow: 'failed',
      nothing: 'broken',
      expr: 'failed',
      waits: 'failed',
    });
    expect(() => engine.read('b.ran')).toThrow();
    const events = await eventsOfRun(engine, started);
    const reason = (name: string, step: string) => stepEnds(events, name).get(step)?.reason;
    expect(reason('two', 'on_primary')).toBe('role primary: exactly one node expected within 600ms, but 2 of 3 have it (n1, n2)');
    expect(reason('none', 'on_leader')).toContain('but none of 3 have it: n1: ');
    expect(reason('none', 'on_leader')).toContain('; n3: stdout is "standby", expected "leader"');
    expect(reason('many', 'testcase.bind.one')).toContain('matches 2 nodes (n1, n2), it must be exactly one');
    expect(reason('nothing', 'x')).toContain('no node matches "${{ "n1:&n2" }}" (nodes: n1, n2, n3; roles: primary, leader, slow)');
    expect(
      stepEnds(events, 'none')
        .get('on_leader/role.leader')
        ?.results.map((each) => each.stdout.trim()),
    ).toEqual(['primary', 'primary', 'standby']);
    expect(stepEnds(events, 'two').get('after')).toMatchObject({ verdict: 'skipped' });
    expect(events.map(identity).toSorted()).toEqual(writtenEvents(started).map(identity).toSorted());
  }, 60_000);

  test('place faults and their undo, and are given up on a cancel', async () => {
    state('c', { n1: 'standby', n2: 'primary', n3: 'standby' });
    const cut = chaos(
      'cut',
      'echo "cut $ONETEAR_NODE ${{ roles.primary.name }}" >> "$WORK/c.log"',
      'echo "undo $ONETEAR_NODE" >> "$WORK/c.log"',
      { nodes: 'all:!primary' },
    );
    const { result } = await engine.run(
      plan({ nodes, roles: [role('primary', holder('c'))], chaos: [cut], testcases: [testcase('faulty', [inject('cut')])] }),
    );
    expect(verdicts(result)).toEqual({ faulty: 'passed' });
    expect(engine.read('c.log').trim().split('\n').toSorted()).toEqual(['cut n1 n2', 'cut n3 n2', 'undo n1', 'undo n3']);

    const waiting = await engine.start(
      plan({
        nodes,
        roles: [role('king', 'touch "$WORK/c.asked"; false', { withinMs: 60_000 })],
        testcases: [testcase('t', [run('x', command('true', { nodes: 'king' }))])],
      }),
    );
    const deadline = Date.now() + 15_000;
    for (;;) {
      try {
        engine.read('c.asked');
        break;
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    await waiting.handle.cancel();
    const ended = await waiting.result(15_000);
    expect(ended.testcases).toMatchObject([{ verdict: 'broken', reason: 'cancelled' }]);
  }, 60_000);

  test('pick: one takes the first node that answers when the step comes; draws are the same for the same seed', async () => {
    // Nothing listens there.
    const dead: Node = { ...localNode('dead'), connection: 'ssh', host: '127.0.0.1', port: 1, connectWithinMs: 500 };
    const some = testcase('some', [
      run('x', command('true', { nodes: 'all:!az=0', pick: 'majority' })),
      run('y', command('true', { nodes: 'all:!az=0', pick: 'random' })),
    ]);
    const lost = ['dead', 'dead2'].map((name) => ({ ...dead, name, labels: { az: '0' } }));
    const { run: first, result } = await engine.run(
      plan({
        nodes: [...lost, ...nodes],
        strategy: { maxParallel: 3, failFast: false },
        testcases: [
          testcase('one', [run('x', command('true', { nodes: 'all', pick: 'one' }))]),
          testcase('none', [run('x', command('true', { nodes: 'az=0', pick: 'one' }))]),
          some,
        ],
      }),
      60_000,
    );
    expect(verdicts(result)).toEqual({ one: 'passed', none: 'broken', some: 'passed' });
    const events = await eventsOfRun(engine, first);
    expect(stepEnds(events, 'one').get('x')?.nodes).toEqual(['n1']);
    expect(stepEnds(events, 'none').get('x')?.reason).toBe('pick: one: none of dead, dead2 can be reached');
    const picked = (all: typeof events) => [...stepEnds(all, 'some').values()].map((end) => end.nodes);
    expect(picked(events).map((names) => names.length)).toEqual([2, 1]);
    const zero: Node = { ...localNode('n0'), labels: { az: '0' } };
    const { run: second } = await engine.run(plan({ nodes: [zero, ...nodes], testcases: [some] }));
    expect(picked(await eventsOfRun(engine, second))).toEqual(picked(events));
  }, 90_000);
});
