// kill -9 of the worker in the middle of a step: how long until the next step is on its way.
import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cli, median } from '../harness.mjs';

const text = `testcases:
  - name: t
    steps:
      - cmd: touch "$MARK.one"; sleep 1.5
      - cmd: touch "$MARK.two"
`;

async function once(bench, i) {
  const mark = join(bench.scratch, `resume-${i}`);
  const file = join(bench.scratch, 'resume.yaml');
  writeFileSync(file, text);
  const run = spawn(process.execPath, [cli, 'start', file, '--output', 'json', '--env', `MARK=${mark}`, '--results', `${mark}.results`], {
    cwd: bench.scratch,
    env: bench.env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let stdout = '';
  run.stdout.on('data', (chunk) => (stdout += chunk));
  const ended = new Promise((resolve) => run.on('exit', resolve));
  while (!existsSync(`${mark}.one`)) await sleep(10);
  process.kill(bench.status().worker.pid, 'SIGKILL');
  const killed = Date.now();
  const exit = await ended;
  const started = stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
    .filter((event) => event.type === 'step_started');
  if (exit !== 0 || started.length < 2) throw new Error(`exit ${exit}\n${stdout}`);
  return (Date.parse(started[1].ts) - killed) / 1000;
}

export async function run(bench) {
  bench.start('warm-up', 'testcases:\n  - { name: t, steps: [{ cmd: "true" }] }\n');
  const times = [];
  for (let i = 0; i < 3; i += 1) times.push(await once(bench, i));
  const worst = Math.max(...times);
  return [
    { scenario: 'resume', figure: 'next step after kill -9 of the worker, median of 3 (s)', ours: median(times) },
    { scenario: 'resume', figure: 'next step after kill -9 of the worker, worst of 3 (s)', ours: worst, target: '<= 10', ok: worst <= 10 },
  ];
}
