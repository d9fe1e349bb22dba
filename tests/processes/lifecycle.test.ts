import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Endpoint } from '../../client/processes/ensure-keeper.ts';
import { pollersOfBuild } from '../../client/processes/pollers.ts';
import { freePort } from '../../client/processes/ports.ts';
import type { CallResult, Program, TestHome } from './support/program.ts';
import { copyProgram, createFolder, createHome, until } from './support/program.ts';

const folder = createFolder();
const homes: TestHome[] = [];
const connections: Connection[] = [];
let program: Program;
let other: Program;

function newHome(env: NodeJS.ProcessEnv = {}): TestHome {
  const home = createHome(folder, env);
  homes.push(home);
  return home;
}

function value<T>(result: CallResult<T>): T {
  if (!result.ok) throw new Error(`${result.code}: ${result.message}`);
  return result.value;
}

async function clientOf(endpoint: Endpoint): Promise<Client> {
  const connection = await Connection.connect({ address: endpoint.address });
  connections.push(connection);
  return new Client({ connection, namespace: endpoint.namespace });
}

async function startTicker(endpoint: Endpoint, count: number, everyMs: number, queue = endpoint.queues.main): Promise<WorkflowHandle> {
  const client = await clientOf(endpoint);
  const workflowId = `ticker-${Math.random().toString(36).slice(2)}`;
  return client.workflow.start('ticker', { workflowId, taskQueue: queue, args: [count, everyMs], workflowTaskTimeout: 5000 });
}

beforeAll(async () => {
  program = await copyProgram(folder, 'aaaaaaaaaaaa');
  other = await copyProgram(folder, 'bbbbbbbbbbbb');
}, 60_000);

afterEach(async (context) => {
  if (context.task.result?.state === 'fail') for (const home of homes) console.log(home.logs());
  await Promise.all(connections.splice(0).map((connection) => connection.close()));
  await Promise.all(homes.splice(0).map((home) => home.close()));
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('idle', () => {
  test('nothing stops while a workflow is open; afterwards all of it stops by itself', async () => {
    const home = newHome({ ONETEAR_IDLE_TIMEOUT: '3' });
    const handle = await startTicker(value(await home.ensure(program)), 20, 300);
    // Twice as long as the limit.
    expect(await handle.result()).toBe(20);
    expect(home.pids().keepers).toHaveLength(1);
    await until('everything stopped', () => Object.values(home.pids()).every((pids) => pids.length === 0), 30_000);
    expect(home.state().phase).toBe('stopping');
  }, 60_000);

  test('an unpaused schedule keeps it up, a paused one does not', async () => {
    const home = newHome({ ONETEAR_IDLE_TIMEOUT: '3' });
    const client = await clientOf(value(await home.ensure(program)));
    const schedule = await client.schedule.create({
      scheduleId: 'nightly',
      spec: { intervals: [{ every: '30 days' }] },
      action: { type: 'startWorkflow', workflowType: 'ticker', taskQueue: 'nobody', args: [1, 1] },
    });
    await new Promise((resolve) => setTimeout(resolve, 8000));
    expect(home.pids().servers).toHaveLength(1);
    await schedule.pause();
    await until('everything stopped', () => Object.values(home.pids()).every((pids) => pids.length === 0), 30_000);
  }, 60_000);
});

describe('another build', () => {
  test('replaces keeper and worker, keeps the server, and the open workflow goes on', async () => {
    const home = newHome();
    const before = value(await home.ensure(program));
    const handle = await startTicker(before, 20, 250);
    const old = home.pids();
    const result = await home.ensure(other);
    const after = value(result);
    expect(after).toEqual({ ...before, build: 'bbbbbbbbbbbb' });
    expect(result.ok && result.progress).toEqual(['replacing the worker of build aaaaaaaaaaaa by one of build bbbbbbbbbbbb']);
    const now = home.pids();
    expect(now.servers).toEqual(old.servers);
    expect(now.keepers).toHaveLength(1);
    expect(now.workers).toHaveLength(1);
    expect(now.workers).not.toEqual(old.workers);
    expect(await handle.result()).toBe(20);
  }, 60_000);

  test('two commands of the new build at once replace it once', async () => {
    const home = newHome();
    value(await home.ensure(program));
    const [first, second] = await Promise.all([home.ensure(other), home.ensure(other)]);
    expect(value(first)).toEqual(value(second));
    expect(home.pids().keepers).toHaveLength(1);
    expect(home.pids().workers).toHaveLength(1);
    expect(home.pids().servers).toHaveLength(1);
  }, 60_000);
});

describe('status', () => {
  test('tells what runs, and that nothing does', async () => {
    const home = newHome();
    expect(await home.server(program, 'status', { json: true })).toMatchObject({
      exit: 11,
      stdout: '{\n  "v": 1,\n  "running": false\n}\n',
    });
    const started = await home.server(program, 'start', { json: true });
    expect(started.exit).toBe(0);
    const { keepers, servers, workers } = home.pids();
    expect(JSON.parse(started.stdout)).toMatchObject({
      v: 1,
      running: true,
      phase: 'running',
      build: 'aaaaaaaaaaaa',
      keeper: { pid: keepers[0] },
      server: { health: 'healthy', pid: servers[0], restarts: 0 },
      worker: { health: 'healthy', pid: workers[0], restarts: 0 },
      problem: null,
    });
    const logs = await home.server(program, 'logs', { lines: 100 });
    expect(logs.stdout).toContain('"message":"worker polls"');
  }, 60_000);
});

describe('a cluster of the user', () => {
  test('gets a detached worker when none of this build polls, and only then', async () => {
    const cluster = newHome();
    const { address } = value(await cluster.ensure(program));
    const mine = newHome();

    const refused = await mine.connect(program, { address, worker: false });
    expect(refused).toMatchObject({
      ok: false,
      code: 'NO_WORKER',
      message: expect.stringContaining(`onetear worker --address ${address}`),
    });
    expect(mine.pids().keepers).toEqual([]);

    const first = value(await mine.connect(program, { address, worker: true }));
    expect(first).toMatchObject({ kind: 'cluster', address, namespace: 'default', searchAttributes: true });
    expect(first.queues.main).toBe('onetear');
    const connection = await Connection.connect({ address });
    connections.push(connection);
    const query = { namespace: 'default', queue: 'onetear', kind: 'workflow', build: 'aaaaaaaaaaaa', hostId: first.hostId } as const;
    const [poller] = await pollersOfBuild(connection, query);
    expect(poller).toMatchObject({ build: 'aaaaaaaaaaaa', hostId: first.hostId });
    expect(await pollersOfBuild(connection, { ...query, build: 'bbbbbbbbbbbb' })).toEqual([]);
    const handle = await startTicker(first, 4, 100);
    expect(await handle.result()).toBe(4);

    const again = await mine.connect(program, { address, worker: true });
    expect(value(again)).toEqual(first);
    expect(again.ok && again.progress).toEqual([]);
    expect(value(await mine.connect(program, { address, worker: false }))).toEqual(first);

    // Killed: the list of pollers still names it for minutes, the process table does not.
    process.kill(poller?.pid as number, 'SIGKILL');
    await until('its keeper starts another one', async () => {
      const [now] = await pollersOfBuild(connection, query);
      return now !== undefined && now.pid !== poller?.pid;
    });
  }, 90_000);

  test('is served by "onetear worker" in the foreground until SIGTERM', async () => {
    const cluster = newHome();
    const { address } = value(await cluster.ensure(program));
    const mine = newHome();
    const child = spawn(process.execPath, [path.join(program.dir, 'dist', 'client', 'main.js'), 'worker', '--address', address], {
      env: mine.env,
    });
    try {
      let stderr = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
      await until('it polls', () => stderr.includes('\nworker polls\n'), 30_000);
      const endpoint = value(await mine.connect(program, { address, worker: false }));
      expect(await (await startTicker(endpoint, 2, 50)).result()).toBe(2);
      const ended = new Promise((resolve) => child.on('close', (code, signal) => resolve(signal ?? code)));
      child.kill('SIGTERM');
      expect(await ended).toBe(0);
      expect(mine.pids().keepers).toEqual([]);
    } finally {
      child.kill('SIGKILL');
    }
  }, 60_000);

  test('that is not there is said within seconds, in plain words', async () => {
    const home = newHome();
    const address = `127.0.0.1:${await freePort()}`;
    const result = await home.connect(program, { address, worker: true });
    expect(result).toMatchObject({
      ok: false,
      code: 'TEMPORAL_UNREACHABLE',
      message: expect.stringContaining(`no Temporal server answers at ${address}`),
    });
    expect(result.elapsedMs).toBeLessThan(8000);
    expect(home.pids()).toEqual({ keepers: [], servers: [], workers: [] });
  }, 30_000);

  test('without the namespace, or with a namespace and no address, is said as well', async () => {
    const home = newHome();
    const { address } = value(await home.ensure(program));
    const missing = await home.connect(program, { address, namespace: 'nowhere', worker: 'ignore' });
    expect(missing).toMatchObject({ ok: false, code: 'TEMPORAL_UNREACHABLE', message: expect.stringContaining('namespace nowhere') });
    const lost = await home.connect(program, { namespace: 'nowhere', worker: 'ignore' });
    expect(lost).toMatchObject({ ok: false, code: 'TEMPORAL_CONFIG' });
    const profile = await home.connect(program, { profile: 'not-written', worker: 'ignore' });
    expect(profile).toMatchObject({ ok: false, code: 'TEMPORAL_CONFIG' });
  }, 60_000);
});
