import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { homePaths } from '../../activities/store/home-paths.ts';
import type { Endpoint } from '../../client/processes/ensure-keeper.ts';
import { isPortFree } from '../../client/processes/ports.ts';
import { bootId, identify } from '../../worker/process-identity.ts';
import type { CallResult, Program, TestHome } from './support/program.ts';
import { copyProgram, createFolder, createHome, until } from './support/program.ts';

const folder = createFolder();
const homes: TestHome[] = [];
const connections: Connection[] = [];
let program: Program;

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

async function startTicker(endpoint: Endpoint, count: number, everyMs: number): Promise<WorkflowHandle> {
  const client = await clientOf(endpoint);
  return client.workflow.start('ticker', {
    workflowId: `ticker-${Math.random().toString(36).slice(2)}`,
    taskQueue: endpoint.queues.main,
    args: [count, everyMs],
    workflowTaskTimeout: 5000,
  });
}

/** By a call of a client that did not see the server die. */
async function resultOf(endpoint: Endpoint, handle: WorkflowHandle): Promise<unknown> {
  return (await clientOf(endpoint)).workflow.getHandle(handle.workflowId).result();
}

beforeAll(async () => {
  program = await copyProgram(folder, 'aaaaaaaaaaaa');
}, 60_000);

afterEach(async (context) => {
  if (context.task.result?.state === 'fail') for (const home of homes) console.log(home.logs());
  await Promise.all(connections.splice(0).map((connection) => connection.close()));
  await Promise.all(homes.splice(0).map((home) => home.close()));
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('start', () => {
  test('two commands at once on a cold machine make one keeper, one server, one worker, and a whole database', async () => {
    const home = newHome();
    const [first, second] = await Promise.all([home.ensure(program), home.ensure(program)]);
    const endpoint = value(first);
    expect(value(second)).toEqual(endpoint);
    const pids = home.pids();
    expect(pids.keepers).toHaveLength(1);
    expect(pids.servers).toHaveLength(1);
    expect(pids.workers).toHaveLength(1);
    // The promise is 5 s on a quiet machine; this one may be busy.
    expect(first.elapsedMs).toBeLessThan(20_000);
    expect(endpoint.searchAttributes).toBe(true);
    expect(await (await startTicker(endpoint, 1, 10)).result()).toBe(1);

    const warm = await home.ensure(program);
    expect(value(warm)).toEqual(endpoint);
    expect(warm.elapsedMs).toBeLessThan(3_000);

    expect(await home.server(program, 'stop')).toMatchObject({ exit: 0 });
    expect(home.pids()).toEqual({ keepers: [], servers: [], workers: [] });
    expect(await isPortFree(Number(endpoint.address.split(':')[1]))).toBe(true);
    const database = path.join(homePaths(home.home).serverDir, home.state().server?.database ?? '');
    const check = 'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute("pragma integrity_check").fetchone()[0])';
    expect(execFileSync('python3', ['-c', check, database], { encoding: 'utf8' }).trim()).toBe('ok');
  }, 60_000);

  test('retention and tuning of the server are ours', async () => {
    const home = newHome();
    const endpoint = value(await home.ensure(program));
    const client = await clientOf(endpoint);
    const { config } = await client.workflowService.describeNamespace({ namespace: endpoint.namespace });
    expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(30 * 24 * 3600);
    expect((await fetch(`${endpoint.uiUrl}/`)).status).toBe(200);
    const [, ...rest] = readFileSync(`/proc/${home.pids().servers[0]}/cmdline`, 'utf8').split('\0');
    expect(rest).toContain('journal_mode=wal');
    expect(rest).toContain('synchronous=full');
    // Timers below a second are not rounded up to one.
    const startedAt = Date.now();
    expect(await (await startTicker(endpoint, 10, 100)).result()).toBe(10);
    expect(Date.now() - startedAt).toBeLessThan(7000);
  }, 60_000);

  test('two homes do not touch each other', async () => {
    const [left, right] = [newHome(), newHome()];
    const [a, b] = (await Promise.all([left.ensure(program), right.ensure(program)])).map(value) as [Endpoint, Endpoint];
    expect(a.address).not.toBe(b.address);
    expect(a.hostId).not.toBe(b.hostId);
    const handle = await startTicker(a, 20, 200);
    const seen = await (await clientOf(b)).workflow.count();
    expect(seen.count).toBe(0);
    await right.server(program, 'stop');
    expect(right.pids()).toEqual({ keepers: [], servers: [], workers: [] });
    expect(left.pids().servers).toHaveLength(1);
    expect(await handle.result()).toBe(20);
  }, 60_000);

  test('stale locks, states and pids of other processes change nothing', async () => {
    const home = newHome();
    const { keeperDir } = homePaths(home.home);
    mkdirSync(path.join(keeperDir, 'lock'), { recursive: true });
    // Our own pid lives, but its start time says that the lock's owner was somebody else; another boot; a torn file.
    const reused = { pid: process.pid, startTicks: '1', bootId: bootId() };
    const otherBoot = { ...identify(process.pid), bootId: 'another-boot' };
    writeFileSync(path.join(keeperDir, 'lock', 'generation.3'), JSON.stringify(otherBoot));
    writeFileSync(path.join(keeperDir, 'lock', 'generation.7'), JSON.stringify(reused));
    writeFileSync(path.join(keeperDir, 'lock', 'generation.8'), '');
    writeFileSync(path.join(keeperDir, 'state.json'), JSON.stringify({ v: 1, keeper: reused, worker: {}, queues: {} }));
    writeFileSync(path.join(keeperDir, 'worker.json'), '{"v":1,"proc');
    value(await home.ensure(program));
    expect(home.pids().keepers).toHaveLength(1);
    expect(identify(process.pid)).toBeDefined();
  }, 60_000);

  test('a port that somebody took is replaced, the others stay', async () => {
    const home = newHome();
    const before = value(await home.ensure(program));
    await home.server(program, 'stop');
    const port = Number(before.address.split(':')[1]);
    const thief = createServer();
    await new Promise<void>((resolve) => thief.listen(port, '127.0.0.1', resolve));
    try {
      const after = value(await home.ensure(program));
      expect(after.address).not.toBe(before.address);
      expect(after.uiUrl).toBe(before.uiUrl);
      expect(await (await startTicker(after, 1, 10)).result()).toBe(1);
    } finally {
      thief.close();
    }
  }, 60_000);
});

describe('kill -9', () => {
  test('of worker, server and keeper: each comes back and the workflow goes on', async () => {
    const home = newHome();
    const endpoint = value(await home.ensure(program));
    const handle = await startTicker(endpoint, 40, 250);

    const [worker] = home.pids().workers as [number];
    process.kill(worker, 'SIGKILL');
    await until('another worker polls', () => home.state().worker.health === 'healthy' && home.state().worker.process?.pid !== worker);
    expect(home.state().worker).toMatchObject({ restarts: 1, lastExit: 'SIGKILL' });

    const [server] = home.pids().servers as [number];
    process.kill(server, 'SIGKILL');
    await until('another server serves', () => home.state().server?.health === 'healthy' && home.state().server?.process?.pid !== server);
    expect(home.state().address).toBe(endpoint.address);

    const before = home.pids();
    process.kill(before.keepers[0] as number, 'SIGKILL');
    await until('the keeper is gone', () => home.pids().keepers.length === 0);
    expect(home.pids().servers).toEqual(before.servers);
    expect(home.pids().workers).toEqual(before.workers);
    expect(value(await home.ensure(program))).toEqual(endpoint);
    const after = home.pids();
    expect(after.servers).toEqual(before.servers);
    expect(after.workers).toHaveLength(1);
    expect(after.workers).not.toEqual(before.workers);
    expect(after.keepers).toHaveLength(1);

    // An adopted server is no child of this keeper, which must notice its death all the same.
    process.kill(after.servers[0] as number, 'SIGKILL');
    await until(
      'a third server serves',
      () => home.state().server?.health === 'healthy' && home.state().server?.process?.pid !== after.servers[0],
    );
    expect(await resultOf(endpoint, handle)).toBe(40);
  }, 90_000);

  test('of all three at once: the next command brings the run back', async () => {
    const home = newHome();
    const endpoint = value(await home.ensure(program));
    const handle = await startTicker(endpoint, 10, 200);
    const { keepers, servers, workers } = home.pids();
    for (const pid of [...keepers, ...servers, ...workers]) process.kill(pid, 'SIGKILL');
    await until('all are gone', () => Object.values(home.pids()).every((pids) => pids.length === 0));
    expect(value(await home.ensure(program))).toEqual(endpoint);
    expect(await resultOf(endpoint, handle)).toBe(10);
  }, 60_000);

  test('server stop also ends what a killed keeper left', async () => {
    const home = newHome();
    value(await home.ensure(program));
    process.kill(home.pids().keepers[0] as number, 'SIGKILL');
    await until('the keeper is gone', () => home.pids().keepers.length === 0);
    const { exit, stderr } = await home.server(program, 'stop');
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: 'stopped 2 processes without a keeper\n' });
    expect(home.pids()).toEqual({ keepers: [], servers: [], workers: [] });
  }, 60_000);
});
