import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { runCommand } from '../../activities/run-command.ts';
import type { ValueMap } from '../../dsl/model/value.ts';
import type { RunCommandInput } from '../../dsl/model/workflow-io.ts';
import { attend, commandInput, makeWorld, settle, type World } from '../nodes/support.ts';
import { startServer, type TestServer } from './http-server.ts';
import { freePort } from './postgres.ts';

describe.skipIf(!existsSync('/usr/bin/prometheus'))('run: prometheus', () => {
  let exporter: TestServer;
  let prometheus: ChildProcess;
  let folder: string;
  let url: string;
  let world: World;
  let steps = 0;

  async function run(options: ValueMap, more: Partial<RunCommandInput> & { readonly env?: { readonly [name: string]: string } } = {}) {
    const { env = {}, ...rest } = more;
    const command = { run: 'prometheus' as const, options, env, shell: 'sh' as const, sudo: false, secrets: [] };
    return settle(runCommand(world.deps, commandInput(world, `p${++steps}`, '', { command, ...rest }), attend()));
  }

  beforeAll(async () => {
    exporter = await startServer((_, response) =>
      response.end('# TYPE jobs_total counter\njobs_total{state="passed"} 7\njobs_total{state="failed"} 1\nodd{} NaN\n'),
    );
    folder = mkdtempSync(join(tmpdir(), 'onetear-prom-'));
    const config = {
      global: { scrape_interval: '1s' },
      scrape_configs: [{ job_name: 'x', static_configs: [{ targets: [exporter.url.replace('http://', '')] }] }],
    };
    writeFileSync(join(folder, 'prom.yml'), JSON.stringify(config));
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    prometheus = spawn(
      'prometheus',
      ['--config.file', join(folder, 'prom.yml'), '--storage.tsdb.path', join(folder, 'data'), '--web.listen-address', `127.0.0.1:${port}`],
      { stdio: 'ignore' },
    );
    const deadline = Date.now() + 45_000;
    for (;;) {
      // Not up yet, or up and not ready, which it says in plain text.
      const count = await fetch(`${url}/api/v1/query?query=count_over_time(jobs_total[1m])`)
        .then(
          async (response) =>
            ((await response.json()) as { data?: { result?: { value: [number, string] }[] } }).data?.result?.[0]?.value[1],
        )
        .catch(() => undefined);
      if (Number(count) >= 2) break;
      if (Date.now() > deadline) throw new Error('Prometheus has no samples');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }, 60_000);
  afterAll(async () => {
    const gone = new Promise((resolve) => prometheus.once('exit', resolve));
    prometheus.kill('SIGTERM');
    await gone;
    await exporter.close();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(() => {
    world = makeWorld();
  });
  afterEach(() => world.close());

  it('one value is stdout, for value matchers', async () => {
    expect((await run({ url, query: 'sum(jobs_total)' }, { expect: { gte: 8, lt: 9 } })).result).toMatchObject({
      verdict: 'passed',
      stdout: { text: '8\n' },
    });
    expect((await run({ query: '2 * 3' }, { expect: { eq: 6 }, env: { PROMETHEUS_URL: `${url}/` } })).result?.verdict).toBe('passed');
    expect((await run({ url, query: 'sum(jobs_total)' }, { expect: { gt: 8 } })).result).toMatchObject({
      verdict: 'failed',
      reason: expect.stringContaining('8'),
    });
  });

  it('several series are rows with their labels', async () => {
    const { result } = await run(
      { url, query: 'jobs_total' },
      {
        expect: {
          rows: { count: 2, each: { value: { gt: 0 }, job: 'x' }, any: { state: 'failed', value: 1 } },
          lines: 2,
          contains: ['state="passed"'],
        },
        outputs: { failed: 'rows.filter(r, r.state == "failed")[0].value' },
      },
    );
    expect(result).toMatchObject({ verdict: 'passed', outputs: { failed: 1 } });
    expect((await run({ url, query: 'no_such_metric' }, { expect: { empty: true, rows: { count: 0 } } })).result?.verdict).toBe('passed');
    expect((await run({ url, query: 'odd' }, { expect: { equals: 'NaN' } })).result?.verdict).toBe('passed');
  });

  it('a range gives all values of a time', async () => {
    const ranges: readonly ValueMap[string][] = [
      '1m',
      { from: '1m', step: '1s' },
      { from: Date.now() / 1_000 - 60, until: new Date(Date.now() + 5_000).toISOString(), step: 1 },
    ];
    for (const range of ranges) {
      const { result } = await run(
        { url, query: 'jobs_total{state="passed"}', range },
        { expect: { rows: { count: { gte: 1 }, each: { value: 7, state: 'passed' } } } },
      );
      expect(result?.reason, JSON.stringify(range)).toBeUndefined();
    }
    expect((await run({ url, query: 'up', range: { from: 'yesterday' } })).result).toMatchObject({
      verdict: 'broken',
      reason: expect.stringContaining('range'),
    });
  });

  it('an error of the query is exit code 1, no server 7, no address broken', async () => {
    expect((await run({ url, query: 'sum(' })).result).toMatchObject({
      verdict: 'failed',
      exitCode: 1,
      reason: expect.stringContaining('bad_data'),
    });
    expect((await run({ url: 'http://127.0.0.1:1', query: 'up' })).result).toMatchObject({ verdict: 'failed', exitCode: 7 });
    expect((await run({ query: 'up' })).result).toMatchObject({ verdict: 'broken', reason: expect.stringContaining('PROMETHEUS_URL') });
    expect((await run({ url: exporter.url, query: 'up' })).result).toMatchObject({
      verdict: 'failed',
      exitCode: 1,
      reason: expect.stringContaining('not JSON'),
    });
  });
});
