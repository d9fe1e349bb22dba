import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPlayground, eventsOf, type Playground } from '../support/onetear.ts';

/** Verbs that run suites: the built program, a home of its own, real keeper, server, worker and commands. */

let play: Playground;
beforeAll(async () => {
  play = createPlayground();
  play.write('pass.yaml', 'commands: [{ name: hello, cmd: echo hello }]\ntestcases: [{ name: greets, steps: [hello] }]\n');
  play.write(
    'mixed.yaml',
    `commands:
  - { name: good, cmd: echo fine }
  - name: bad
    cmd: echo the light is red; echo warned >&2
    expect: { contains: green }
testcases:
  - { name: one, steps: [good] }
  - { name: two, steps: [bad, good] }
  - { name: three, steps: [good] }
`,
  );
  play.write(
    'slow.yaml',
    `chaos:
  - { name: break_it, cmd: touch broken, recover: { cmd: rm -f broken && touch undone } }
commands: [{ name: nap, cmd: touch napping; sleep 60 }]
testcases:
  - { name: a, steps: [break_it, nap] }
  - { name: b, steps: [nap] }
`,
  );
  expect((await play.run(['server', 'start'])).code).toBe(0);
});
afterAll(() => play.close());

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 30_000; !(await condition()); await sleep(100)) if (Date.now() > end) throw new Error('waited for 30 s');
}

/** A run of slow.yaml that is in the middle of its nap. */
async function startNapping(args: readonly string[] = []): Promise<ReturnType<Playground['spawn']>> {
  for (const file of ['napping', 'broken', 'undone']) {
    rmSync(join(play.dir, file), { force: true });
  }
  const started = play.spawn(['start', 'slow.yaml', ...args]);
  await until(() => play.exists('napping'));
  return started;
}

test('start follows to the end: plain text, exit 0, all results', async () => {
  const { code, stdout } = await play.run(['start', 'pass.yaml', '--results', 'out', '--seed', '7']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^pass: 1 testcase, run \d{8}-\d{6}-[0-9a-z]{6}, seed 7$/m);
  expect(stdout).toMatch(/^✓ greets/m);
  expect(stdout).toMatch(/^passed: 1 passed in /m);
  expect(readdirSync(join(play.dir, 'out')).toSorted()).toEqual(
    expect.arrayContaining(['allure-results', 'ctrf.json', 'events.ndjson', 'junit.xml', 'run.json', 'testcases']),
  );
});

test('results that are replaced are said', async () => {
  for (const expected of [false, true]) {
    const { stderr } = await play.run(['start', 'pass.yaml', '--results', 'twice']);
    expect(stderr.includes('the results in twice are replaced')).toBe(expected);
  }
});

test('--output json is the stream of the language reference, and watch repeats it', async () => {
  const { code, stdout, stderr } = await play.run(['start', 'mixed.yaml', '--output', 'json']);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^mixed: 3 testcases, run \S+, seed \d+\n[^]*^failed: 1 failed, 2 passed in .*\n$/m);
  const events = eventsOf(stdout);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  expect(events.every(({ v, ts, run }) => v === 1 && /^\d{4}-.*\.\d{3}Z$/.test(String(ts)) && run === events[0]?.run)).toBe(true);
  expect(events[0]).toMatchObject({ type: 'run_started', suite: 'mixed', total: 3 });
  expect(events.at(-1)).toMatchObject({ type: 'run_finished', verdict: 'failed', exit: 1, counts: { passed: 2, failed: 1 } });
  expect(events.find(({ type, step }) => type === 'step_finished' && step === 'bad')).toMatchObject({
    verdict: 'failed',
    reason: expect.stringContaining('green'),
    results: [{ node: 'local', exit_code: 0, stdout: 'the light is red\n', stderr: 'warned\n' }],
  });
  const again = await play.run(['watch', String(events[0]?.run), '--output', 'json']);
  expect(again.code).toBe(1);
  const repeated = eventsOf(again.stdout);
  expect(repeated.map(({ seq }) => seq)).toEqual(repeated.map((_, index) => index + 1));
  const key = ({ type, testcase, step }: { [key: string]: unknown }): string => JSON.stringify([type, testcase, step]);
  expect(repeated.map(key).toSorted()).toEqual(events.map(key).toSorted());
});

test('a failure is repeated at the end: reason, expected, actual, where, output, rerun', async () => {
  const { code, stdout } = await play.run(['start', 'mixed.yaml']);
  expect(code).toBe(1);
  const end = stdout.slice(stdout.lastIndexOf('✗ two failed'));
  const order = [
    'stdout does not contain "green"',
    'expected  contains: "green"',
    'actual',
    'mixed.yaml:8 step bad',
    '│ the light is red',
    'rerun what did not pass: onetear rerun ',
  ];
  const places = order.map((text) => end.indexOf(text));
  expect(places).not.toContain(-1);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
});

test('the printed rerun keeps the options of then, and start, show and watch say the same', async () => {
  play.write(
    'needy.yaml',
    'context: { params: { want: [a] } }\ncommands: [{ name: c, cmd: \'[ "$MODE" != hard ]\' }]\ntestcases: [{ name: not, params: { want: a }, steps: [c] }]\n',
  );
  const { stdout } = await play.run(['start', 'needy.yaml', '--env', 'MODE=hard']);
  const line = /^rerun what did not pass: onetear (.*)$/m.exec(stdout)?.[1] ?? '';
  const block = /^✗ not\S* failed\n[^]*?\n\n/m.exec(stdout)?.[0] ?? 'no block';
  expect(block).toMatch(/^ {2}at needy\.yaml:3 step c on local$/m);
  for (const verb of ['show', 'watch']) expect((await play.run([verb, 'last'])).stdout).toContain(block.trimEnd());
  expect((await play.run(['show', 'last', '--steps'])).stdout).toMatch(/^ {4}✗ c {2}\d+m?s {2}exit code 1/m);
  const again = await play.run(line.split(' '));
  expect({ code: again.code, text: again.stdout }).toEqual({ code: 1, text: expect.stringMatching(/^✗ not\S* failed$/m) });
});

test('quiet says nothing when all is well', async () => {
  expect(await play.run(['start', 'pass.yaml', '--output', 'quiet'])).toEqual({ code: 0, stdout: '', stderr: '' });
  const { stdout } = await play.run(['start', 'mixed.yaml', '--output', 'quiet']);
  expect(stdout).toContain('two failed');
  expect(stdout).not.toContain('✓');
});

test('-x stops after the first bad one, --lf and rerun --failed take the bad ones', async () => {
  const stopped = await play.run(['start', 'mixed.yaml', '--output', 'json', '-x']);
  expect(eventsOf(stopped.stdout).at(-1)).toMatchObject({ counts: { passed: 1, failed: 1, skipped: 1 } });
  const ids = (stdout: string): unknown =>
    (eventsOf(stdout).at(-1) as unknown as { testcases: { id: string }[] }).testcases.map(({ id }) => id);
  expect(ids((await play.run(['start', 'mixed.yaml', '--output', 'json', '--lf'])).stdout)).toEqual(['two']);
  const seed = eventsOf(stopped.stdout)[0]?.seed;
  // The text is that of then: the file may have changed since.
  play.write('mixed.yaml.now', play.read('mixed.yaml'));
  play.write('mixed.yaml', 'testcases: []\n');
  const rerun = await play.run(['rerun', String(eventsOf(stopped.stdout)[0]?.run), '--failed', '--same-seed', '--output', 'json']);
  play.write('mixed.yaml', play.read('mixed.yaml.now'));
  expect(rerun.code).toBe(1);
  expect(ids(rerun.stdout)).toEqual(['two']);
  expect(eventsOf(rerun.stdout)[0]?.seed).toBe(seed);
  await play.run(['start', 'pass.yaml']);
  expect((await play.run(['start', 'pass.yaml', '--lf'])).code).toBe(5);
});

test('nothing selected is exit 5 and no run', async () => {
  const before = (await play.run(['runs', '--json'])).stdout;
  const { code, stdout } = await play.run(['start', 'pass.yaml', '-k', 'no_such', '--output', 'json']);
  expect(code).toBe(5);
  expect(eventsOf(stdout)).toMatchObject([{ type: 'error', exit: 5 }]);
  expect((await play.run(['runs', '--json'])).stdout).toBe(before);
});

test('runs, show and report read the record; report rebuilds what was deleted, with HTML that talks to nobody', async () => {
  await play.run(['start', 'mixed.yaml', '--results', 'rebuilt']);
  const { runs } = JSON.parse((await play.run(['runs', '--json'])).stdout);
  expect(runs[0]).toMatchObject({
    suite: 'mixed',
    status: 'finished',
    verdict: 'failed',
    recovery: 'clean',
    started: expect.any(String),
    finished: expect.any(String),
  });
  expect((await play.run(['runs'])).stdout.split('\n')[1]).toContain(runs[0].run);
  const shown = JSON.parse((await play.run(['show', runs[0].run, '--json'])).stdout);
  expect(shown).toMatchObject({
    v: 1,
    run: runs[0].run,
    suite: 'mixed',
    status: 'finished',
    verdict: 'failed',
    counts: { failed: 1 },
    links: [{ type: 'temporal' }],
  });
  expect(shown.testcases.map(({ id }: { id: string }) => id)).toEqual(['one', 'two', 'three']);
  expect(shown.testcases[1].attempts[0]).toMatchObject({
    verdict: 'failed',
    steps: [
      { step: 'bad', verdict: 'failed' },
      { step: 'good', verdict: 'skipped' },
    ],
    faults: [],
  });
  expect((await play.run(['show'])).stdout).toContain('two failed');
  const junit = play.read('rebuilt/junit.xml');
  rmSync(join(play.dir, 'rebuilt'), { recursive: true });
  expect((await play.run(['report', 'last', '--html', 'html'])).code).toBe(0);
  expect(play.read('rebuilt/junit.xml')).toBe(junit);
  const page = play.read('html/index.html');
  expect(page.length).toBeGreaterThan(100_000);
  expect(page).not.toMatch(/googletagmanager|google-analytics/);
});

test('replay fits the archived histories to the code', async () => {
  const { code, stdout } = await play.run(['replay', 'last']);
  expect(code).toBe(0);
  expect(
    stdout
      .trimEnd()
      .split('\n')
      .every((line) => line.startsWith('ok ')),
  ).toBe(true);
});

test('in CI one Ctrl-C cancels: recovery runs, the stream ends with run_finished', async () => {
  const { child, finished } = await startNapping(['--output', 'json']);
  child.kill('SIGINT');
  const { code, stdout } = await finished;
  expect(code).toBe(2);
  expect(eventsOf(stdout).at(-1)).toMatchObject({ type: 'run_finished', exit: 2, verdict: 'broken', recovery: 'clean' });
  expect(play.exists('undone')).toBe(true);
  expect(play.exists('broken')).toBe(false);
});

test('at a terminal the first Ctrl-C detaches, watch comes back, cancel ends one testcase and then the run', async () => {
  const ask = createPlayground({ CI: '', ONETEAR_HOME: play.home });
  try {
    ask.write('slow.yaml', play.read('slow.yaml'));
    const { child, finished } = ask.spawn(['start', 'slow.yaml']);
    await until(() => ask.exists('napping'));
    child.kill('SIGINT');
    const { code, stderr } = await finished;
    expect(code).toBe(2);
    for (const verb of ['watch', 'cancel', 'report']) expect(stderr).toMatch(new RegExp(`onetear ${verb} \\d{8}-`));
    expect(stderr).toContain('again within 2 s');
    const watcher = ask.spawn(['watch', 'last']);
    await sleep(1000);
    expect((await ask.run(['report', 'last'])).code).toBe(4);
    expect((await ask.run(['cancel', 'last', 'nobody'])).stderr).toContain('does not run now');
    expect((await ask.run(['cancel', 'last', 'a'])).code).toBe(0);
    await until(async () => (await ask.run(['show', 'last'])).stdout.includes('a broken'));
    expect(ask.exists('undone')).toBe(true);
    expect((await ask.run(['cancel', 'last', '--wait'])).code).toBe(0);
    expect((await watcher.finished).code).toBe(2);
    expect((await ask.run(['cancel', 'last'])).stderr).toContain('has ended');
  } finally {
    // Its home is that of the other one, which stops the server.
    rmSync(join(ask.dir, '..'), { recursive: true, force: true });
  }
});

test('at a terminal a second Ctrl-C cancels; Ctrl-C on watch only detaches', async () => {
  const ask = createPlayground({ CI: '', ONETEAR_HOME: play.home });
  try {
    ask.write('slow.yaml', play.read('slow.yaml'));
    const { child, finished } = ask.spawn(['start', 'slow.yaml', '--output', 'json']);
    await until(() => ask.exists('napping'));
    const watcher = ask.spawn(['watch', 'last']);
    await sleep(1000);
    watcher.child.kill('SIGINT');
    const detached = await watcher.finished;
    expect(detached.code).toBe(2);
    expect(detached.stderr).toContain('Detached');
    child.kill('SIGINT');
    await sleep(300);
    child.kill('SIGINT');
    const { code, stdout } = await finished;
    expect(code).toBe(2);
    expect(eventsOf(stdout).at(-1)).toMatchObject({ type: 'run_finished', exit: 2 });
  } finally {
    rmSync(join(ask.dir, '..'), { recursive: true, force: true });
  }
});

test('--detach prints the run id and nothing else on stdout', async () => {
  const { code, stdout, stderr } = await play.run(['start', 'pass.yaml', '--detach']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^\d{8}-\d{6}-[0-9a-z]{6}\n$/);
  expect(stderr).toContain('onetear watch');
  expect((await play.run(['watch', stdout.trim()])).code).toBe(0);
  const json = await play.run(['start', 'pass.yaml', '--detach', '--output', 'json']);
  expect(eventsOf(json.stdout)).toMatchObject([{ type: 'run_started', seq: 1 }]);
});

test('owed recovery: exit 10, faults tells it, recover undoes it', async () => {
  play.write(
    'owed.yaml',
    `chaos: [{ name: stuck, cmd: "true", recover: { cmd: test -e allow, within: 1s }, duration: 0.2 }]\ntestcases: [{ name: t, steps: [stuck] }]\n`,
  );
  const { code, stdout } = await play.run(['start', 'owed.yaml']);
  expect(code).toBe(10);
  expect(stdout).toContain('RECOVERY OWED');
  expect(stdout).toContain('test -e allow');
  const { faults } = JSON.parse((await play.run(['faults', '--json'])).stdout);
  expect(faults).toMatchObject([
    { testcase: 't', step: 'stuck', name: 'stuck', node: 'local', undo: 'test -e allow', since: expect.any(String) },
  ]);
  expect((await play.run(['recover', '--all', '--within', '0.5'])).code).toBe(10);
  play.write('allow', '');
  expect((await play.run(['recover', faults[0].run])).code).toBe(0);
  expect(JSON.parse((await play.run(['faults', '--json'])).stdout)).toEqual({ v: 1, faults: [] });
});

test('a workflow that cannot go on is exit 3, not a hang', async () => {
  const { address } = JSON.parse((await play.run(['server', 'status', '--json'])).stdout);
  const { runs } = JSON.parse((await play.run(['runs', '--json'])).stdout);
  const file = join(play.home, 'runs', runs[0].run, 'run.json');
  const { task_queues: queues } = JSON.parse((await play.run(['server', 'status', '--json'])).stdout);
  const connection = await Connection.connect({ address });
  const client = new Client({ connection });
  const handle = await client.workflow.start('no-such-workflow', { workflowId: 'onetear/bug', taskQueue: queues.main, args: [] });
  try {
    const run = '20990101-000000-aaaaaa';
    mkdirSync(join(play.home, 'runs', run));
    const record = { ...JSON.parse(readFileSync(file, 'utf8')), run, workflowId: 'onetear/bug', status: 'running', finished: undefined };
    writeFileSync(join(play.home, 'runs', run, 'run.json'), JSON.stringify(record));
    const { code, stdout } = await play.run(['watch', run, '--output', 'json'], 60_000);
    expect(code).toBe(3);
    expect(eventsOf(stdout)).toMatchObject([{ type: 'error', exit: 3, message: expect.stringContaining('bug in onetear') }]);
  } finally {
    await handle.terminate('the test is over');
    await connection.close();
  }
});

test('no server is exit 11', async () => {
  const { code, stdout, stderr } = await play.run(['start', 'pass.yaml', '--address', '127.0.0.1:1', '--output', 'json'], 30_000);
  expect(code).toBe(11);
  expect(stderr).toContain('127.0.0.1:1');
  expect(eventsOf(stdout)).toMatchObject([{ type: 'error', exit: 11 }]);
});
