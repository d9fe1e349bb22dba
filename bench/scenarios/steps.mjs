// Steps per second against a bare SDK workflow whose activity spawns the same command through a plain shell, on the same server, in turn;
// and against bats on as many no-op tests.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median, startPeer, timed } from '../harness.mjs';

const { Client, Connection } = createRequire(import.meta.url)('@temporalio/client');
const ROUNDS = 5;
const shapes = [
  { lanes: 1, stepsPerLane: 100, ratio: 0.8 },
  { lanes: 10, stepsPerLane: 20, ratio: 0.8 },
  { lanes: 50, stepsPerLane: 6, ratio: 0.8 },
];

function suiteOf({ lanes, stepsPerLane }) {
  const lines = ['commands: [{ name: noop, cmd: "true" }]', 'testcases:', '  - name: t', '    steps:'];
  for (let lane = 0; lane < lanes; lane += 1) {
    for (let i = 0; i < stepsPerLane; i += 1)
      lines.push(`      - { id: s${lane}_${i}, use: noop, needs: [${i === 0 ? '' : `s${lane}_${i - 1}`}] }`);
  }
  return `${lines.join('\n')}\n`;
}

/** Seconds between the first step's start and the last step's end, from the run's own events. */
function stepSeconds(events) {
  const steps = events.filter((event) => event.type === 'step_started' || event.type === 'step_finished');
  return (Date.parse(steps.at(-1).ts) - Date.parse(steps[0].ts)) / 1000;
}

export async function run(bench) {
  bench.start('warm-up', suiteOf({ lanes: 1, stepsPerLane: 5 }));
  const { address } = bench.status();
  const taskQueue = 'bare';
  const peer = await startPeer(process.execPath, [fileURLToPath(new URL('../peers/bare-worker.mjs', import.meta.url)), address, taskQueue]);
  const connection = await Connection.connect({ address });
  const client = new Client({ connection });
  const rows = [];
  const bare = (shape) => timed(() => client.workflow.execute('bareLoop', { taskQueue, workflowId: `bare-${Date.now()}`, args: [shape] }));
  try {
    await bare({ lanes: 1, stepsPerLane: 20 });
    let serialPerSecond = 0;
    let tenPerSecond = 0;
    for (const shape of shapes) {
      const count = shape.lanes * shape.stepsPerLane;
      const [ours, theirs] = [[], []];
      for (let round = 0; round < ROUNDS; round += 1) {
        ours.push(count / stepSeconds(bench.start(`steps-${shape.lanes}`, suiteOf(shape))));
        theirs.push(count / ((await bare(shape)) / 1000));
      }
      const ratio = median(ours.map((value, i) => value / theirs[i]));
      if (shape.lanes === 1) serialPerSecond = median(ours);
      if (shape.lanes === 10) tenPerSecond = median(ours);
      const figure =
        shape.lanes === 1 ? 'serial steps per second vs bare SDK loop' : `${shape.lanes} in flight, steps per second vs bare SDK loop`;
      rows.push({
        scenario: 'steps',
        figure,
        ours: median(ours),
        peer: median(theirs),
        ratio,
        target: `>= ${shape.ratio}x`,
        ok: ratio >= shape.ratio,
      });
    }
    rows.push(...againstBats(bench, serialPerSecond, tenPerSecond));
  } finally {
    await connection.close();
    peer.removeAllListeners('exit');
    peer.kill('SIGKILL');
  }
  return rows;
}

function againstBats(bench, serialPerSecond, tenPerSecond) {
  const count = 100;
  const file = join(bench.scratch, 'noop.bats');
  writeFileSync(file, Array.from({ length: count }, (_, i) => `@test "t${i}" {\n  run true\n  [ "$status" -eq 0 ]\n}\n`).join('\n'));
  const rates = [];
  for (let round = 0; round < 3; round += 1) {
    const began = performance.now();
    const { status, error } = spawnSync('bats', [file], { stdio: 'ignore' });
    if (error) return [{ scenario: 'steps', figure: 'bats is not installed: skipped' }];
    if (status !== 0) throw new Error(`bats ended with ${status}`);
    rates.push(count / ((performance.now() - began) / 1000));
  }
  const peer = median(rates);
  return [
    {
      scenario: 'steps',
      figure: 'serial vs bats',
      ours: serialPerSecond,
      peer,
      ratio: serialPerSecond / peer,
      target: '>= 0.8x',
      ok: serialPerSecond / peer >= 0.8,
    },
    {
      scenario: 'steps',
      figure: '10 in flight vs bats (serial)',
      ours: tenPerSecond,
      peer,
      ratio: tenPerSecond / peer,
      target: '>= 2.5x',
      ok: tenPerSecond / peer >= 2.5,
    },
  ];
}
