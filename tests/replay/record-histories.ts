import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { SIGNAL } from '../../dsl/model/workflow-io.ts';
import type { Engine, Run } from '../support/engine.ts';
import { startEngine } from '../support/engine.ts';
import { chaos, command, HERE, hooks, inject, localNode, NO_ASSERT, NO_RETRY, other, plan, role, run, testcase } from '../support/plans.ts';
import { until } from '../support/temporal-server.ts';

/** Where the corpus stands: one gzipped JSON history per workflow. */
export const HISTORIES = fileURLToPath(new URL('../histories/', import.meta.url));

const PROJECT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** Parts of the corpus: whose files begin with which word, and how they are recorded. */
const GROUPS: readonly { readonly file: string; readonly record: (engine: Engine) => Promise<void> }[] = [
  { file: 'suite-steps', record: recordSteps },
  { file: 'suite-faults', record: recordFaults },
  { file: 'suite-cancelled', record: recordStops },
  { file: 'suite-shards', record: recordShards },
  { file: 'suite-roles', record: recordRoles },
  { file: 'suite-fanout', record: recordFanout },
];

/**
 * Records from runs on a real server what the corpus does not have yet; `everything` (a new major version) replaces it all. Never to make a red replay
 * green: runs of the old code are still open somewhere.
 */
export async function recordHistories(everything: boolean): Promise<void> {
  mkdirSync(HISTORIES, { recursive: true });
  if (everything) for (const name of readdirSync(HISTORIES)) if (name.endsWith('.json.gz')) rmSync(`${HISTORIES}${name}`);
  const missing = GROUPS.filter(({ file }) => !existsSync(`${HISTORIES}${file}.json.gz`));
  if (missing.length === 0) return;
  const engine = await startEngine();
  try {
    for (const group of missing) await group.record(engine);
  } finally {
    await engine.close();
  }
}

async function save(engine: Engine, name: string, workflowId: string): Promise<void> {
  const history = await engine.client.workflow.getHandle(workflowId).fetchHistory();
  const text = historyToJSON(history).replaceAll(PROJECT, '/onetear');
  writeFileSync(`${HISTORIES}${name}.json.gz`, gzipSync(JSON.stringify({ workflowId, history: JSON.parse(text) }), { level: 9 }));
}

async function saveRun(engine: Engine, prefix: string, started: Run, testcases: readonly string[]): Promise<void> {
  await save(engine, `suite-${prefix}`, started.id);
  for (const name of testcases) await save(engine, `testcase-${prefix}-${name}`, started.testcase(name).workflowId);
}

async function recordSteps(engine: Engine): Promise<void> {
  const sample = (contains: string) => ({ kind: 'sample' as const, subject: { command: 'check' }, match: { contains: [contains] } });
  const sampled = (match: object, windowMs: number) => ({ match, windowMs, everyMs: 100, location: HERE });
  const { run: started } = await engine.run(
    plan({
      nodes: [localNode('a'), localNode('b')],
      strategy: { maxParallel: 3, failFast: false },
      hooks: hooks({ before: ['true'], after: ['true'], onFail: ['true'] }),
      commands: { check: command('echo ready', { name: 'check' }) },
      testcases: [
        testcase('serial', [run('one', 'echo 1'), run('two', 'echo 2'), run('three', 'echo 3')], {
          hooks: hooks({ before: ['true'], after: ['true'] }),
        }),
        testcase('branches', [
          run('quick', 'true', { needs: [] }),
          run('slow', 'sleep 0.4', { needs: [] }),
          other('join', { kind: 'parallel' }, { needs: ['quick', 'slow'] }),
          run('last', 'true'),
        ]),
        testcase(
          'failing',
          [
            run('fail', command('exit 3', { hooks: hooks({ before: ['true'], after: ['true'], onFail: ['true'] }) })),
            run('skipped', 'true'),
            run('failure', 'true', { if: 'failure()' }),
            run('always', 'true', { if: 'always()' }),
          ],
          { hooks: hooks({ onFail: ['true'] }), retry: { ...NO_RETRY, max: 1 } },
        ),
        testcase('nodes', [
          run('both', command('echo same', { nodes: 'all', expect: { all_equal: true } })),
          run('differ', command('echo ${{ node.name }}', { nodes: 'all', expect: { all_equal: true } })),
        ]),
        testcase('waits', [
          other('all', {
            kind: 'wait',
            condition: { kind: 'all', of: [sample('ready'), { kind: 'expr', expr: 'true' }] },
            withinMs: 3_000,
            everyMs: 100,
          }),
          other('any', { kind: 'wait', condition: { kind: 'any', of: [sample('never'), sample('ready')] }, withinMs: 9_000, everyMs: 100 }),
          other('nap', { kind: 'sleep', durationMs: 50 }),
          other('late', { kind: 'wait', condition: { kind: 'expr', expr: '1 == 2' }, withinMs: 50, everyMs: 100 }),
        ]),
        testcase('asserts', [run('echo', 'echo hello')], {
          assert: {
            ...NO_ASSERT,
            eventually: [sampled({ contains: ['hello'] }, 2_000)],
            always: [sampled({ exit_code: 0 }, 200)],
            never: [sampled({ contains: ['bye'] }, 200)],
            within: [{ from: 'echo.started', until: 'echo.finished', maxMs: 60_000, location: HERE }],
            expr: [{ expr: 'steps.echo.nodes["a"].exit_code == 0', location: HERE }],
          },
        }),
        testcase('skipped', [run('x', 'true')], { if: 'false' }),
        testcase('unmet', [run('x', 'true')], { requires: [{ cmd: 'exit 1', msg: 'never', location: HERE }] }),
        testcase('flaky', [
          run('x', command('test -e "$WORK/again" || { touch "$WORK/again"; exit 1; }', { retry: { ...NO_RETRY, max: 2 } })),
        ]),
        testcase('timeout', [run('x', 'sleep 60')], { timeoutMs: 700 }),
        testcase('needs', [run('x', 'true')], { needs: ['failing'] }),
      ],
    }),
  );
  await saveRun(engine, 'steps', started, [
    'serial',
    'branches',
    'failing',
    'nodes',
    'waits',
    'asserts',
    'skipped',
    'unmet',
    'flaky',
    'timeout',
  ]);
  const broken = await engine.run(
    plan({ testcases: [testcase('t', [run('x', 'true')])], hooks: hooks({ before: ['exit 1'], after: ['true'] }) }),
  );
  await saveRun(engine, 'broken-before', broken.run, ['t']);
}

async function recordFaults(engine: Engine): Promise<void> {
  const verify = { cmd: 'test -e "$WORK/cut"', withinMs: 2_000, everyMs: 100, match: {} };
  const faults = [
    chaos('hold', 'touch "$WORK/cut"', 'rm -f "$WORK/cut"', {
      durationMs: 300,
      verify,
      hooks: hooks({ before: ['true'], after: ['true'] }),
    }),
    chaos('stay', 'true', 'true'),
    chaos('newer', 'true', 'true'),
    chaos('beside', 'true', 'true', { durationMs: 300, background: true }),
    chaos('miss', 'true', 'true', { verify: { ...verify, cmd: 'false', withinMs: 200 } }),
    chaos('refused', 'exit 1', 'true'),
    chaos('stuck', 'true', undefined, {
      irreversible: false,
      durationMs: 50,
      recover: { run: 'shell', cmd: 'test -e "$WORK/allow"', withinMs: 1_000 },
    }),
    chaos('everywhere', 'true', 'true', { nodes: 'all' }),
  ];
  const { run: started } = await engine.run(
    plan({
      nodes: [localNode('a'), localNode('b')],
      strategy: { maxParallel: 4, failFast: false },
      chaos: faults,
      testcases: [
        testcase('hold', [inject('hold'), run('after', 'true')]),
        testcase('stay', [inject('stay'), inject('newer'), run('fail', 'exit 1')]),
        testcase('recover', [inject('stay'), other('undo', { kind: 'recover', step: 'stay' }), run('after', 'true')]),
        testcase('beside', [
          inject('beside', { needs: [] }),
          run('during', 'true', { needs: ['beside.verified'] }),
          run('later', 'true', { needs: ['beside.recovered'] }),
        ]),
        testcase('miss', [inject('miss'), run('after', 'true')]),
        testcase('refused', [inject('refused')]),
        testcase('stuck', [inject('stuck'), run('after', 'true')]),
        testcase('everywhere', [inject('everywhere')]),
      ],
    }),
  );
  writeFileSync(engine.file('allow'), '');
  const stuck = started.fault('stuck', 'stuck');
  await stuck.signal(SIGNAL.release, { reason: 'by hand' });
  await until(async () => (await stuck.describe()).status.name === 'COMPLETED', 10_000);
  const all = {
    hold: ['hold'],
    stay: ['stay', 'newer'],
    recover: ['stay'],
    beside: ['beside'],
    miss: ['miss'],
    refused: ['refused'],
    stuck: ['stuck'],
    everywhere: ['everywhere'],
  };
  await saveRun(engine, 'faults', started, Object.keys(all));
  for (const [name, steps] of Object.entries(all))
    for (const step of steps) await save(engine, `fault-${name}-${step}`, started.fault(name, step).workflowId);
}

async function recordStops(engine: Engine): Promise<void> {
  const cut = chaos('cut', 'true', 'true', { durationMs: 60_000, background: true });
  const long = (file: string) => run('long', `touch "$WORK/${file}"; sleep 60`);
  const cancelled = await engine.start(
    plan({
      chaos: [cut],
      testcases: [
        testcase('t', [inject('cut'), long('c1'), run('always', 'true', { if: 'always()' })], { hooks: hooks({ after: ['true'] }) }),
        testcase('later', [run('x', 'true')]),
      ],
    }),
  );
  await until(() => existsSync(engine.file('c1')), 15_000);
  await cancelled.handle.cancel();
  await cancelled.result();
  await saveRun(engine, 'cancelled', cancelled, ['t']);
  await save(engine, 'fault-cancelled-cut', cancelled.fault('t', 'cut').workflowId);

  const late = await engine.run(
    plan({ timeoutMs: 1_000, testcases: [testcase('t', [long('c2')]), testcase('later', [run('x', 'true')])] }),
  );
  await saveRun(engine, 'timeout', late.run, ['t']);

  const killed = await engine.start(
    plan({ chaos: [cut], testcases: [testcase('t', [inject('cut'), run('long', 'touch "$WORK/c3"; sleep 8')])] }),
  );
  await until(() => existsSync(engine.file('c3')), 15_000);
  await killed.testcase('t').terminate('recording');
  await killed.result();
  const fault = killed.fault('t', 'cut');
  await until(async () => (await fault.describe()).status.name === 'COMPLETED', 15_000);
  await saveRun(engine, 'terminated', killed, ['t']);
  await save(engine, 'fault-terminated-cut', fault.workflowId);
}

async function recordShards(engine: Engine): Promise<void> {
  const cells = Array.from({ length: 104 }, (_, index) => ({ id: `t[${index}]`, testcase: index === 97 ? 'bad' : 't', params: {} }));
  const { run: started } = await engine.run(
    plan({
      strategy: { maxParallel: 10, failFast: true },
      testcases: [testcase('t', [], { if: 'false' }), testcase('bad', [run('x', 'exit 1')])],
      cells,
    }),
    60_000,
  );
  await save(engine, 'suite-shards', started.id);
  await save(engine, 'shard-first', `${started.id}/s1`);
  await save(engine, 'shard-skipped', `${started.id}/s2`);
}

async function recordRoles(engine: Engine): Promise<void> {
  for (const name of ['n1', 'n2', 'n3']) writeFileSync(engine.file(`role.${name}`), name === 'n1' ? 'primary\n' : 'standby\n');
  const is = (state: string): string => `grep -qx ${state} "$WORK/role.$ONETEAR_NODE"`;
  const { run: started } = await engine.run(
    plan({
      nodes: [localNode('n1'), localNode('n2'), localNode('n3')],
      groups: { others: 'all:!primary' },
      roles: [
        role('primary', is('primary')),
        role('standby', is('standby'), { nodes: 'others', expect: 'any' }),
        role('nobody', 'false', { withinMs: 300 }),
      ],
      chaos: [chaos('cut', 'true', 'true', { nodes: 'standby[0]' })],
      testcases: [
        testcase(
          'bound',
          [
            run('who', command('echo ${{ roles.standby.name }}', { nodes: 'primary' })),
            run('old', command('echo ${{ bind.old.name }}', { nodes: '${{ bind.old }}' })),
            run('text', command('true', { nodes: '${{ "standby" }}' })),
            run('if', 'true', { if: 'roles.primary.name == "n1"' }),
            inject('cut'),
            other('wait', {
              kind: 'wait',
              condition: {
                kind: 'any',
                of: [
                  { kind: 'expr', expr: 'roles.primary.name == bind.old.name' },
                  { kind: 'expr', expr: 'roles.standby.name == "n9"' },
                ],
              },
              withinMs: 2_000,
              everyMs: 100,
            }),
            run('random', command('true', { nodes: 'all', pick: 'random' })),
            run('one', command('true', { nodes: 'all', pick: 'one' })),
          ],
          {
            bind: { old: 'primary' },
            if: 'bind.old.name != "" && roles.standby.all.size() == 2',
            hooks: hooks({ before: ['true'] }),
            assert: {
              ...NO_ASSERT,
              eventually: [
                {
                  match: { contains: ['${{ roles.primary.name }}'], exit_code: 'any', not_contains: ['x'] },
                  windowMs: 200,
                  everyMs: 100,
                  location: HERE,
                },
              ],
              expr: [{ expr: 'roles.primary.name == "n1"', location: HERE }],
            },
          },
        ),
        testcase('late', [run('x', command('true', { nodes: 'primary' }))], { bind: { old: 'primary' } }),
        testcase('nobody', [run('x', command('true', { nodes: 'nobody' })), run('after', 'true')]),
        testcase('unbound', [run('x', 'true')], { bind: { old: 'nobody' } }),
        testcase('skipped', [run('x', 'true')], { if: 'roles.primary.name == "n2"' }),
      ],
    }),
  );
  await saveRun(engine, 'roles', started, ['bound', 'late', 'nobody', 'unbound', 'skipped']);
}

async function recordFanout(engine: Engine): Promise<void> {
  const nodes = Array.from({ length: 18 }, (_, index) => localNode(`n${index + 1}`));
  const { run: started } = await engine.run(
    plan({
      nodes,
      hooks: { before: [{ inline: command('true', { nodes: 'all' }) }], after: [], onFail: [] },
      testcases: [
        testcase('wide', [run('all', command('echo $ONETEAR_NODE', { nodes: 'all', maxParallel: 6 })), run('next', 'true')], {
          assert: { ...NO_ASSERT, always: [{ match: { exit_code: 0 }, windowMs: 100, everyMs: 100, location: HERE }] },
        }),
        testcase('serial', [run('all', command('[ $ONETEAR_NODE != n3 ]', { nodes: 'all', maxParallel: 1 }))]),
        testcase('late', [run('all', command('sleep 60', { nodes: 'all' }))], { timeoutMs: 3_000 }),
      ],
    }),
    90_000,
  );
  await saveRun(engine, 'fanout', started, ['wide', 'serial', 'late']);
  for (const name of ['wide', 'serial', 'late']) await save(engine, `fanout-${name}`, `${started.testcase(name).workflowId}/f/all`);
  await save(engine, 'fanout-hook', `${started.id}/f/suite.before%231`);
}
