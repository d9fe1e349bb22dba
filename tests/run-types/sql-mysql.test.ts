import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { runCommand } from '../../activities/run-command.ts';
import { attend, makeWorld, settle, until, type World } from '../nodes/support.ts';
import { hasMysql, startMysql } from './mysql.ts';
import type { Database } from './postgres.ts';
import { sqlInput } from './sql-input.ts';

describe.skipIf(!hasMysql())('run: sql on MariaDB', () => {
  let database: Database;
  let world: World;
  beforeAll(async () => {
    database = await startMysql();
    database.ask('create table app.t (id int primary key, name text, doc json, at datetime, amount decimal(10, 2), big bigint)');
  }, 120_000);
  afterAll(() => database.stop());
  beforeEach(() => {
    world = makeWorld();
  });
  afterEach(() => world.close());

  async function run(query: string, more: Parameters<typeof sqlInput>[2] = {}, options: { readonly [key: string]: string | boolean } = {}) {
    return settle(runCommand(world.deps, sqlInput(world, { dsn: database.dsn, query, ...options }, more), attend()));
  }
  const again = (max: number) => ({ max, delayMs: 1, backoff: 1, maxDelayMs: 1, when: ['exit_code', 'expect', 'timeout'] as const });

  it('gives rows with their types, and tags; with and without marks', async () => {
    expect(
      (
        await run(
          `insert into t values (1, 'a', '{"k": 1}', '2026-01-02 03:04:05', 1.50, 9007199254740993), (2, null, null, null, null, null)`,
        )
      ).result?.stdout.text,
    ).toBe('OK 2\n');
    for (const params of [{}, { min: 0, max: 5 }] as readonly { readonly [name: string]: number }[]) {
      const query = `select id, name, at, amount, big from t where id > ${'min' in params ? '${{ params.min }}' : '0'} order by id limit ${'max' in params ? '${{ params.max }}' : '5'}`;
      const { result } = await run(query, {
        params,
        expect: {
          rows: { count: 2, any: { id: 1, name: 'a', amount: 1.5, big: '9007199254740993', at: '2026-01-02 03:04:05' } },
          expr: ['rows[1].name == null'],
        },
      });
      expect(result, query).toMatchObject({
        verdict: 'passed',
        stdout: { text: '1|a|2026-01-02 03:04:05|1.50|9007199254740993\n2||||\n' },
      });
    }
  });

  it('binds marks: a hostile value stays a value', async () => {
    const evil = `\\'"; drop table t; -- `;
    const { result } = await run('select ${{ params.evil }} as v, ${{ params.n }} + 1 as n, ${{ params.none }} is null as none', {
      params: { evil, n: 41, none: null },
      expect: { rows: { count: 1, any: { v: evil, n: 42, none: 1 } } },
    });
    expect(result?.reason).toBeUndefined();
    expect(database.ask('select count(*) from app.t')).toBe('2');
  });

  it('tells errors of the database from those of the connection', async () => {
    expect(
      (
        await run('insert into t (id) values (1)', {
          expect: { exit_code: 1, expr: ['sqlstate == "23000"'], stderr: { contains: ['1062'] } },
        })
      ).result?.verdict,
    ).toBe('passed');
    expect((await run('selec 1', { retry: again(1) })).failure?.retryable).toBe(true);
    expect(
      (await run('select 1', { expect: { exit_code: 2, stderr: { contains: ['ECONNREFUSED'] } } }, { dsn: 'mysql://u@127.0.0.1:1/x' }))
        .result?.verdict,
    ).toBe('passed');
    const denied = await run(
      'select 1',
      { expect: { exit_code: 2, expr: ['sqlstate == "28000"'] } },
      { dsn: database.dsn.replace('%2Fss', '') },
    );
    expect(denied.result?.verdict).toBe('passed');
  });

  it('ends the statement on the server at the timeout; a killed connection leaves the outcome open', async () => {
    const active = (): string =>
      database.ask("select count(*) from information_schema.processlist where info like '%sleep(60)%' and id <> connection_id()");
    const { result } = await run('select sleep(60)', { timeoutMs: 500, retry: again(1) });
    expect(result).toMatchObject({ verdict: 'failed', timedOut: true, reason: expect.stringContaining('not tried again') });
    await until(() => active() === '0', 10_000);
    const pending = run('select sleep(60)', { retry: again(1) });
    await until(() => active() === '1', 10_000);
    database.ask(
      "select concat('kill ', id) into @k from information_schema.processlist where info like '%sleep(60)%' and id <> connection_id(); execute immediate @k",
    );
    const lost = await pending;
    expect(lost.result).toMatchObject({ verdict: 'failed', exitCode: 2 });
    expect(lost.failure?.retryable).toBe(false);
  }, 30_000);
});
