// What the durable node protocol costs beside a bare spawn of the same command, in one process, in turns. Needs the build (dist/).
//   node bench/node-protocol.mjs [rounds] [shell words…]      prints a table; ONETEAR_BENCH_JSON=file saves the numbers
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';

const dist = process.env.ONETEAR_DIST ?? new URL('../dist/', import.meta.url).href;
const load = (path) => import(new URL(path, dist.endsWith('/') ? dist : `${dist}/`).href);
const { localEnvironment, openNodeSession } = await load('activities/nodes/node-session.js');
const { cancelJob, forgetJobs, lookAtJob, settleJob, startJob } = await load('activities/nodes/job.js');
const { runCommand } = await load('activities/run-command.js');

const rounds = Number(process.argv[2] ?? 200);
const shell = process.argv.length > 3 ? process.argv.slice(3) : ['/bin/sh'];
const root = mkdtempSync(join(tmpdir(), 'onetear-bench-'));
const times = new Map();
const timed = async (name, work) => {
  const from = performance.now();
  const value = await work();
  const all = times.get(name) ?? [];
  all.push(performance.now() - from);
  times.set(name, all);
  return value;
};

const bare = () =>
  new Promise((resolve, reject) => {
    let out = '';
    const child = spawn('/bin/sh', ['-c', ':'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.on('data', (chunk) => (out += chunk));
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve(out) : reject(new Error(`exit ${code}`))));
  });

const deps = {
  homeDir: root,
  storeDir: join(root, 'store'),
  hostId: 'bench',
  log: { debug() {}, info() {}, warn() {}, error() {} },
  nodes: { shell, jobRoot: root },
};
const node = { name: 'local', connection: 'local', host: 'localhost', labels: {}, vars: {}, connectWithinMs: 5_000 };
const input = (step) => ({
  v: 1,
  run: {
    run: 'bench',
    suite: 's',
    slug: 's',
    seed: 1,
    queues: { main: 'q', host: 'q', control: 'q' },
    suiteDir: root,
    resultsDir: root,
    engine: { version: '0', build: '0' },
    namespace: 'default',
  },
  address: { testcase: 't', attempt: 1, step, kind: 'command', phase: 'steps', name: step, title: step },
  node,
  command: { run: 'shell', cmd: ':', options: {}, env: {}, shell: 'sh', sudo: false, secrets: [] },
  expect: {},
  outputs: {},
  retry: { max: 0, delayMs: 1_000, backoff: 1, maxDelayMs: 60_000, when: [] },
  timeoutMs: 60_000,
  keepStdout: false,
  hashStdout: false,
  scope: {},
  badVerdict: 'failed',
  journal: [],
});
const attendance = {
  attempt: 1,
  scheduledAtMs: Date.now(),
  lastDetails: undefined,
  beat() {},
  stopped: () => undefined,
  onStop: () => () => undefined,
};

const session = await openNodeSession({ argv: shell, shell, env: localEnvironment(), jobRoot: root, direct: true, connectWithinMs: 5_000 });
try {
  for (let round = 0; round < rounds; round++) {
    const job = `verbs/j${round}.t1`;
    await timed('bare spawn of the command', bare);
    await timed('runCommand, whole', () => runCommand(deps, input(`s${round}`), attendance));
    const from = performance.now();
    await timed('verb start', () =>
      startJob(session, { job, runner: 'sh', script: ':', prelude: 'cd /\n', stdin: '', timeoutMs: 60_000 }, session.uptimeTicks() + 3_000),
    );
    const end = await session.awaitEnd(job, 5_000);
    if (end === undefined) throw new Error('the end was not reported');
    times.set('start to reported end', [...(times.get('start to reported end') ?? []), performance.now() - from]);
    await timed('verb status', () => lookAtJob(session, job));
    await timed('verb cancel (of a finished job)', () => cancelJob(session, job, 'bench'));
    await timed('verb judged', () => settleJob(session, job, 'because'));
    await timed('hello (new stream)', async () => {
      if (round % 10 !== 0) return;
      const other = await openNodeSession({
        argv: shell,
        shell,
        env: localEnvironment(),
        jobRoot: root,
        direct: true,
        connectWithinMs: 5_000,
      });
      other.close();
    });
  }
  times.set(
    'hello (new stream)',
    times.get('hello (new stream)').filter((_, index) => index % 10 === 0),
  );
  await timed('verb forget (whole run)', () => forgetJobs(session, 'verbs'));
  const rows = [...times].map(([name, all]) => {
    const sorted = all.toSorted((a, b) => a - b);
    const at = (share) => Number(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))].toFixed(2));
    return { name, n: sorted.length, p10: at(0.1), median: at(0.5), p90: at(0.9) };
  });
  console.table(rows);
  const median = (name) => rows.find((row) => row.name === name).median;
  console.log(`added to a bare spawn: ${(median('runCommand, whole') - median('bare spawn of the command')).toFixed(2)} ms (median)`);
  if (process.env.ONETEAR_BENCH_JSON) writeFileSync(process.env.ONETEAR_BENCH_JSON, `${JSON.stringify({ shell, rows }, undefined, 1)}\n`);
} finally {
  session.close();
  rmSync(root, { recursive: true, force: true, maxRetries: 5 });
}
process.exit(0);
