import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { runCommand } from '../../activities/run-command.ts';
import { attend, makeWorld, settle, until, type World } from '../nodes/support.ts';
import { type Database, startPostgres } from './postgres.ts';
import { sqlInput } from './sql-input.ts';

let database: Database;
let world: World;
beforeAll(async () => {
  database = await startPostgres();
  database.ask(
    'create table t (id int primary key, name text, ok bool, doc jsonb, at timestamptz, amount numeric(10, 2)); create table ticks (n serial, note text)',
  );
}, 60_000);
afterAll(() => database.stop());
beforeEach(() => {
  world = makeWorld();
});
afterEach(() => world.close());

const again = (max: number) => ({ max, delayMs: 1, backoff: 1, maxDelayMs: 1, when: ['exit_code', 'expect', 'timeout'] as const });

async function run(query: string, more: Parameters<typeof sqlInput>[2] = {}, options: { readonly [key: string]: string | boolean } = {}) {
  return settle(runCommand(world.deps, sqlInput(world, { dsn: database.dsn, query, ...options }, more), attend()));
}

/** Passes bytes on to the database; breaks both sides when a statement with `until` in it has been passed on. */
async function breakingProxy(trigger: string, delayMs: number): Promise<{ readonly dsn: string; close(): void }> {
  const { connect } = await import('node:net');
  const sockets = new Set<Socket>();
  const server: Server = createServer((client) => {
    const upstream = connect(database.port, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
    }
    upstream.pipe(client);
    client.on('data', (piece) => {
      upstream.write(piece);
      if (piece.includes(trigger)) setTimeout(() => client.destroy(), delayMs);
    });
    client.on('close', () => setTimeout(() => upstream.destroy(), 500));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    dsn: `postgres://postgres@127.0.0.1:${port}/postgres`,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

describe('rows', () => {
  it('are stdout as psql -At prints them, with their types for rows, json and expressions', async () => {
    database.ask(`insert into t values (1, 'a|b', true, '{"k": [1]}', '2026-01-02 03:04:05+00', 1.50), (2, null, false, null, null, null)`);
    const query = 'select id, name, ok, doc, amount, count(*) over () as n, 9007199254740993 as big from t order by id';
    const { result } = await run(query, {
      expect: {
        rows: { count: 2, each: { n: 2, id: { between: [1, 2] } }, any: { name: 'a|b', ok: true, amount: 1.5 } },
        json: { '[0].doc.k[0]': 1, '[0].big': '9007199254740993' },
        expr: ['rows[1].name == null && size(rows) == 2 && sqlstate == null'],
        lines: 2,
      },
      outputs: { first: 'rows[0].name' },
    });
    expect(result).toMatchObject({
      verdict: 'passed',
      outputs: { first: 'a|b' },
      stdout: { text: `${database.ask(query)}\n` },
    });
    expect((await run('select id from t', { expect: { rows: { each: { id: { lt: 2 } } } } })).result).toMatchObject({
      verdict: 'failed',
      reason: expect.stringContaining('row 2'),
    });
  });

  it('of no statement but tags: as psql prints them; several statements give all of theirs', async () => {
    const { result } = await run(
      'create table u (a int); insert into u values (1), (2); update u set a = 3; select a from u; drop table u',
    );
    expect(result?.stdout.text).toBe('CREATE TABLE\nINSERT 0 2\nUPDATE 2\n3\n3\nDROP TABLE\n');
    expect((await run('select 1 where false', { expect: { empty: true, rows: { count: 0 } } })).result?.verdict).toBe('passed');
  });

  it('may be many: memory and history stay small, beyond 64 MiB it is exit code 63', async () => {
    const many = await run("select repeat('x', 1000) from generate_series(1, 20000)", {
      expect: { lines: 20_000, rows: { count: 20_000 } },
    });
    expect(many.result).toMatchObject({ verdict: 'passed', stdout: { bytes: 20_020_000, truncated: true } });
    const much = await run("select repeat('x', 1000000) from generate_series(1, 100)");
    expect(much.result).toMatchObject({ verdict: 'failed', exitCode: 63 });
  }, 60_000);
});

describe('marks', () => {
  it('are bind parameters: a hostile value stays a value', async () => {
    const evil = "x'); drop table t; --";
    const { result } = await run(
      'select ${{ params.evil }} as v, ${{ params.n }}::int + 1 as n, ${{ params.none }}::text is null as none',
      {
        params: { evil, n: 41, none: null },
        expect: { rows: { count: 1, any: { v: evil, n: 42, none: true } } },
      },
    );
    expect(result?.verdict).toBe('passed');
    expect(
      (
        await run('select id from t where id = any(${{ params.ids }}::int[]) order by id limit ${{ params.max }}', {
          params: { ids: [1, 2], max: 1 },
        })
      ).result?.stdout.text,
    ).toBe('1\n');
    expect((await run('select 1 from ${{ raw(params.table) }} limit 1', { params: { table: 't' } })).result?.verdict).toBe('passed');
    expect(database.ask("select count(*) from pg_tables where tablename = 't'")).toBe('1');
  });
});

describe('errors', () => {
  it('of the database are exit code 1 with the sqlstate', async () => {
    const { result } = await run('insert into t (id) values (1)', {
      expect: { exit_code: 1, expr: ['sqlstate == "23505"'], stderr: { contains: ['23505', 'DETAIL'] } },
    });
    expect(result?.verdict).toBe('passed');
    expect((await run('selec 1')).result).toMatchObject({ verdict: 'failed', exitCode: 1, reason: expect.stringContaining('42601') });
    // The database said so: it did not happen, and may be tried again.
    expect((await run('insert into t (id) values (1)', { retry: again(2) })).failure?.retryable).toBe(true);
  });

  it('of the connection are exit code 2', async () => {
    const down = { exit_code: 2, stderr: { contains: ['ECONNREFUSED'] } };
    expect((await run('select 1', { expect: down }, { dsn: 'postgres://u@127.0.0.1:1/x' })).result?.verdict).toBe('passed');
    expect(
      (
        await run(
          'select 1',
          { expect: { exit_code: 2, expr: ['sqlstate == "3D000"'] } },
          { dsn: database.dsn.replace(/postgres$/, 'nope') },
        )
      ).result?.verdict,
    ).toBe('passed');
    expect(
      (await run('insert into ticks (note) values (1)', { retry: again(1) }, { dsn: 'postgres://u@127.0.0.1:1/x' })).failure?.retryable,
    ).toBe(true);
  });

  it('of the address are broken or told', async () => {
    expect((await run('select 1', {}, { dsn: 'oracle://h' })).result).toMatchObject({
      verdict: 'broken',
      reason: expect.stringContaining('dsn'),
    });
    expect((await run('select 1', {}, { dsn: 'postgres://a,b/db' })).result).toMatchObject({
      verdict: 'failed',
      reason: expect.stringContaining('several hosts'),
    });
    expect(
      (await run('select 1', {}, { dsn: `host=${database.folder} port=${database.port} user=postgres dbname='postgres'` })).result?.verdict,
    ).toBe('passed');
    expect(
      (
        await run(
          'select current_user',
          { env: { PGHOST: '127.0.0.1', PGPORT: String(database.port), PGUSER: 'postgres' }, expect: { equals: 'postgres' } },
          { dsn: 'dbname=postgres' },
        )
      ).result?.verdict,
    ).toBe('passed');
    expect((await run('select 1', {}, { dsn: `${database.dsn}?sslmode=require` })).result).toMatchObject({
      verdict: 'failed',
      exitCode: 2,
      reason: expect.stringContaining('SSL'),
    });
  });

  it('that leave the outcome open end the tries: the statement may have been committed, and here it was', async () => {
    const proxy = await breakingProxy('open-outcome', 100);
    const query = "insert into ticks (note) select 'open-outcome' from pg_sleep(0.3)";
    const { result, failure } = await run(query, { retry: again(3) }, { dsn: proxy.dsn });
    expect(result).toMatchObject({ verdict: 'failed', exitCode: 2, tries: 1, reason: expect.stringContaining('not tried again') });
    expect(failure?.retryable).toBe(false);
    await until(() => database.ask("select count(*) from ticks where note = 'open-outcome'") === '1');
    expect((await run(query, { retry: again(3) }, { dsn: proxy.dsn, idempotent: true })).failure?.retryable).toBe(true);
    proxy.close();
  }, 20_000);

  it('of a session that is terminated leave it open, too', async () => {
    const pending = run("select 'victim' from pg_sleep(20)", { retry: again(1) });
    await until(
      () => database.ask("select count(*) from pg_stat_activity where query like '%victim%' and pid <> pg_backend_pid()") === '1',
      10_000,
    );
    database.ask("select pg_terminate_backend(pid) from pg_stat_activity where query like '%victim%' and pid <> pg_backend_pid()");
    const { result, failure } = await pending;
    expect(result).toMatchObject({ verdict: 'failed', exitCode: 2, reason: expect.stringContaining('57P01') });
    expect(failure?.retryable).toBe(false);
  }, 20_000);
});

describe('time', () => {
  it('a timeout and a cancel end the statement on the server', async () => {
    const { result } = await run("select 'slow' from pg_sleep(60)", { timeoutMs: 500, retry: again(1) });
    expect(result).toMatchObject({
      verdict: 'failed',
      timedOut: true,
      reason: expect.stringMatching(/^timeout after 500ms; not tried again/),
    });
    const attendance = attend();
    const pending = settle(
      runCommand(world.deps, sqlInput(world, { dsn: database.dsn, query: "select 'long' from pg_sleep(60)" }), attendance),
    );
    await until(
      () => database.ask("select count(*) from pg_stat_activity where query like '%long%' and pid <> pg_backend_pid()") === '1',
      10_000,
    );
    attendance.stop('cancel');
    expect((await pending).result).toMatchObject({ verdict: 'broken', reason: 'cancelled' });
    await until(
      () =>
        database.ask(
          "select count(*) from pg_stat_activity where query like '%pg_sleep(60)%' and state = 'active' and pid <> pg_backend_pid()",
        ) === '0',
    );
  }, 20_000);
});
