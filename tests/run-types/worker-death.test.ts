import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { runCommand } from '../../activities/run-command.ts';
import type { RunCommandInput } from '../../dsl/model/workflow-io.ts';
import { buildActivities } from '../nodes/built.ts';
import { attend, commandInput, makeWorld, settle, until, type World } from '../nodes/support.ts';
import { startServer } from './http-server.ts';
import { type Database, startPostgres } from './postgres.ts';
import { sqlInput } from './sql-input.ts';

const ROUNDS = process.env['ONETEAR_LONG'] === '1' ? 150 : 6;

/** The first attempt in a process of its own, as a worker is. */
const WORKER = `
const { runCommand } = await import(process.env.RUN_COMMAND);
const { deps, input } = JSON.parse(process.env.CASE);
deps.log = { debug() {}, info() {}, warn() {}, error() {} };
const attendance = { attempt: 1, scheduledAtMs: Date.now(), lastDetails: undefined, beat() {}, stopped: () => undefined, onStop: () => () => undefined };
process.stdout.write('ready\\n');
try { await runCommand(deps, input, attendance); process.stdout.write('passed\\n'); } catch (error) { process.stdout.write(error.message + '\\n'); }
process.exit(0);
`;

let build: ReturnType<typeof buildActivities>;
let database: Database;
let world: World;
beforeAll(async () => {
  build = buildActivities();
  database = await startPostgres();
  database.ask('create table ticks (note text)');
}, 120_000);
afterAll(async () => {
  await database.stop();
  build.remove();
});
beforeEach(() => {
  world = makeWorld();
});
afterEach(() => world.close());

function worker(input: RunCommandInput): { readonly child: ChildProcess; said: () => string; readonly gone: Promise<void> } {
  const { homeDir, storeDir, hostId, nodes } = world.deps;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', WORKER], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      RUN_COMMAND: build.url('activities/run-command.js'),
      CASE: JSON.stringify({ deps: { homeDir, storeDir, hostId, nodes }, input }),
    },
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const gone = new Promise<void>((resolve) => child.on('close', () => resolve()));
  return { child, said: () => said, gone };
}

const ticks = (note: string): number => Number(database.ask(`select count(*) from ticks where note = '${note}'`));
const active = (note: string): boolean =>
  database.ask(`select count(*) from pg_stat_activity where query like '%${note}%' and state = 'active' and pid <> pg_backend_pid()`) !==
  '0';

describe('kill -9 of the worker while a statement runs', () => {
  it('the next attempt says lost, and it ran once', async () => {
    const query = "insert into ticks select 'once' from pg_sleep(0.5)";
    const input = sqlInput(
      world,
      { dsn: database.dsn, query },
      { retry: { max: 3, delayMs: 1, backoff: 1, maxDelayMs: 1, when: ['exit_code', 'expect', 'timeout'] } },
    );
    const { child, gone } = worker(input);
    await until(() => active('once'), 20_000);
    child.kill('SIGKILL');
    await gone;
    for (const attempt of [2, 3]) {
      const { result, failure } = await settle(runCommand(world.deps, input, attend(attempt)));
      expect(result).toMatchObject({ verdict: 'broken', reason: expect.stringMatching(/^command lost: the worker died/) });
      expect(failure?.retryable).toBe(false);
    }
    await until(() => !active('once'));
    expect(ticks('once')).toBe(1);
  }, 60_000);

  it('one that is idempotent is sent again', async () => {
    const query = "insert into ticks select 'twice' from pg_sleep(0.5)";
    const input = sqlInput(world, { dsn: database.dsn, query, idempotent: true });
    const { child, gone } = worker(input);
    await until(() => active('twice'), 20_000);
    child.kill('SIGKILL');
    await gone;
    expect((await settle(runCommand(world.deps, input, attend(2)))).result).toMatchObject({ verdict: 'passed', tries: 1 });
    expect(ticks('twice')).toBe(2);
  }, 60_000);

  it(`at ${ROUNDS} random moments: never twice, and passed only when it ran`, async () => {
    let seed = 11;
    const draw = (max: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((seed / 2 ** 32) * max);
    };
    const seen = { passed: 0, broken: 0 };
    for (let round = 0; round < ROUNDS; round++) {
      const note = `r${round}`;
      const input = sqlInput(world, { dsn: database.dsn, query: `insert into ticks select '${note}' from pg_sleep(0.04)` });
      const { child, said, gone } = worker(input);
      await until(() => said().startsWith('ready'), 20_000);
      await new Promise((resolve) => setTimeout(resolve, draw(250)));
      child.kill('SIGKILL');
      await gone;
      const { result } = await settle(runCommand(world.deps, input, attend(2)));
      await until(() => !active(note));
      if (result?.verdict === 'passed') {
        expect(ticks(note), note).toBe(1);
        seen.passed++;
      } else {
        expect(result, note).toMatchObject({ verdict: 'broken', reason: expect.stringContaining('command lost') });
        expect(ticks(note), note).toBeLessThanOrEqual(1);
        seen.broken++;
      }
    }
    expect(seen.passed + seen.broken).toBe(ROUNDS);
    expect(seen.passed).toBeGreaterThan(0);
  }, 900_000);
});

it('kill -9 of the worker while a request is out: a POST is lost and was sent once, a GET is sent again', async () => {
  const server = await startServer((request, response) => void setTimeout(() => response.end(request.method), 400));
  try {
    for (const method of ['POST', 'GET']) {
      const command = {
        run: 'http' as const,
        options: { url: server.url, method },
        env: {},
        shell: 'sh' as const,
        sudo: false,
        secrets: [],
      };
      const input = commandInput(world, method, '', { command });
      const { child, gone } = worker(input);
      const before = server.seen.length;
      await until(() => server.seen.length > before, 20_000);
      child.kill('SIGKILL');
      await gone;
      const { result } = await settle(runCommand(world.deps, input, attend(2)));
      if (method === 'POST') expect(result).toMatchObject({ verdict: 'broken', reason: expect.stringContaining('command lost') });
      else expect(result).toMatchObject({ verdict: 'passed', stdout: { text: 'GET' } });
    }
    expect(server.seen).toEqual(['POST /', 'GET /', 'GET /']);
  } finally {
    await server.close();
  }
}, 60_000);

it('without the client package a sql command is broken and says what to install; one beside the suite will do', async () => {
  const hideOurs = `export async function resolve(name, context, next) {
    if (name !== 'pg') return next(name, context);
    throw Object.assign(new Error("Cannot find package 'pg' imported from here"), { code: 'ERR_MODULE_NOT_FOUND' });
  }`;
  const program = `
    import { register } from 'node:module';
    register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hideOurs)}`)});
    ${WORKER}`;
  // Away from every node_modules that a folder above may have.
  const suiteDir = mkdtempSync('/var/tmp/onetear-suite-');
  const statement = sqlInput(world, { dsn: database.dsn, query: 'select 1' });
  const input = { ...statement, run: { ...statement.run, suiteDir } };
  const run = (): string => {
    const { homeDir, storeDir, hostId, nodes } = world.deps;
    const env = {
      RUN_COMMAND: build.url('activities/run-command.js'),
      CASE: JSON.stringify({ deps: { homeDir, storeDir, hostId, nodes }, input }),
    };
    return spawnSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8', env: { ...process.env, ...env } })
      .stdout;
  };
  try {
    expect(run()).toContain('needs the package pg: npm install pg');
    mkdirSync(join(suiteDir, 'node_modules'));
    symlinkSync(fileURLToPath(new URL('../../node_modules/pg', import.meta.url)), join(suiteDir, 'node_modules/pg'));
    expect(run()).toContain('passed');
  } finally {
    rmSync(suiteDir, { recursive: true, force: true });
  }
}, 60_000);
