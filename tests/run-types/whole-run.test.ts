import { afterAll, beforeAll, expect, it } from 'vitest';

import { compileSuite } from '../../dsl/compile/compile-suite.ts';
import type { Plan } from '../../dsl/model/plan.ts';
import { parseSuite } from '../../dsl/parse/parse-suite.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { startServer, type TestServer } from './http-server.ts';
import { type Database, startPostgres } from './postgres.ts';

let engine: Engine;
let database: Database;
let server: TestServer;
let ready = 0;
beforeAll(async () => {
  server = await startServer((request, response) => {
    if (request.url === '/down') ready = Date.now() + 700;
    response.writeHead(Date.now() < ready ? 503 : 200).end(JSON.stringify({ ready: Date.now() >= ready }));
  });
  // One after another: what has started is stopped also when the next does not.
  database = await startPostgres();
  engine = await startEngine();
}, 90_000);
afterAll(async () => {
  await engine?.close();
  await database?.stop();
  await server?.close();
});

function planOf(text: string): Plan {
  const { suite, diagnostics } = parseSuite({ file: 'suite.yaml', text }, () => ({ problem: 'no includes' }));
  if (!suite) throw new Error(JSON.stringify(diagnostics));
  const compiled = compileSuite(suite, { seed: 1, digest: 'd', envOverrides: {}, paramOverrides: {}, selection: {}, execute: true });
  if (!compiled.plan) throw new Error(JSON.stringify(compiled.diagnostics));
  return compiled.plan;
}

it('a suite of http, sql and logs: marks, outputs, wait, eventually, a fault, and the log since it', async () => {
  const plan = planOf(`
name: shop
context:
  env: { API: '${server.url}', DSN: '${database.dsn}', WORK: '${engine.dir}' }
  params: { note: "it's a 'note'; drop table orders" }
commands:
  - name: create
    run: sql
    dsn: \${{ env.DSN }}
    query: create table orders (id serial primary key, note text)
  - name: order
    run: sql
    inputs: { note: null }
    dsn: \${{ env.DSN }}
    query: insert into orders (note) values (\${{ inputs.note }}) returning id, note
    expect: { rows: { count: 1, any: { note: "\${{ inputs.note }}" } } }
    outputs: { id: 'rows[0].id' }
  - name: health
    run: http
    url: \${{ env.API }}/health
    expect: { status: 200, json: { ready: true } }
  - { name: log, run: logs, path: '\${{ env.WORK }}/app.log', since: break.started, expect: { contains: after, not_contains: before } }
chaos:
  - name: break
    cmd: |
      echo "$(date -u +%Y-%m-%dT%H:%M:%S.%NZ) after" >>"$WORK/app.log"
    recover: { cmd: 'true' }
testcases:
  - name: all
    steps:
      - { run: shell, cmd: 'printf "2020-01-01T00:00:00Z before\\\\n" >"$WORK/app.log"' }
      - create
      - { use: order, with: { note: "\${{ params.note }}" } }
      - run: sql
        id: again
        dsn: \${{ env.DSN }}
        query: select note from orders where id = \${{ steps.order.outputs.id }}
        expect: { equals: "\${{ params.note }}" }
      - break
      - log
      - { run: http, url: '\${{ env.API }}/down', method: POST, expect: { status: 503, expr: 'status == 503 && !json.ready' } }
      - wait: { command: health, status: 200, within: 20s, every: 100ms }
      - health
    assert:
      eventually: { command: health, status: { lt: 300 } }
  - name: down
    steps:
      - { run: http, url: 'http://127.0.0.1:1/', expect: { exit_code: { not: 0 } } }
      - { run: sql, dsn: '\${{ env.DSN }}', query: 'selec', expect: { exit_code: 1, expr: 'sqlstate == "42601"' } }
  - name: bad
    steps: [{ run: http, url: '\${{ env.API }}/', expect: { status: 404 } }]
`);
  const { result } = await engine.run(plan);
  expect(Object.fromEntries(result.testcases.map(({ id, reason }) => [id, reason]))).toEqual({
    all: null,
    down: null,
    bad: 'status is 200, expected 404',
  });
}, 90_000);

it('the language refuses what cannot be: a mark inside quotes, an address of no database, keys of another run type', () => {
  const problems = (command: string): string => {
    const { suite, diagnostics } = parseSuite(
      { file: 's.yaml', text: `commands:\n  - { name: a, ${command} }\ntestcases:\n  - { name: t, steps: [a] }\n` },
      () => ({ problem: '' }),
    );
    if (!suite) return diagnostics.map(({ code, message }) => `${code} ${message}`).join('\n');
    const options = { seed: 1, digest: 'd', envOverrides: {}, paramOverrides: {}, selection: {}, execute: true };
    return compileSuite(suite, options)
      .diagnostics.map(({ code, message }) => `${code} ${message}`)
      .join('\n');
  };
  expect(problems("run: sql, dsn: 'postgres://h/d', query: \"select '${{ env.HOME }}'\"")).toMatch(/SUITE_SQL_PLACE .*inside quotes/);
  expect(problems("run: sql, dsn: 'oracle://h/d', query: select 1")).toMatch(/SUITE_WRONG_TYPE .*dsn/);
  expect(problems("run: http, url: 'http://h', idempotent: 5")).toContain('idempotent');
  expect(problems("run: http, url: 'http://h', redirects: 50")).toContain('redirects');
  expect(problems("run: http, url: 'http://h', tls: { cas: x }")).toContain('cas');
  expect(problems('cmd: x, idempotent: true')).toMatch(/SUITE_MISPLACED_KEY .*run: sql or http/);
  expect(problems('run: prometheus, query: up, range: { from: 5m, step: soon }')).toContain('step');
  expect(problems("run: http, url: 'http://h', expect: { status: [200] }")).toContain('status');
});
