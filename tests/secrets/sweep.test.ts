import { existsSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ActivityDeps } from '../../activities/deps.ts';
import { sweepSecrets } from '../../activities/secrets/sweep-secrets.ts';
import { homePaths } from '../../activities/store/home-paths.ts';
import { writeRunSecrets } from '../../activities/store/run-secrets-file.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { createPlayground } from '../support/onetear.ts';
import { chaos, inject, plan, run as command, testcase } from '../support/plans.ts';

/** Secrets go with their run, however it ends. A real server. */

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
}, 60_000);
afterAll(() => engine?.close());

const SERVER = { queue: 'host', address: 'somewhere:1', namespace: 'default' };

function depsOf(server: ActivityDeps['server'] = SERVER): ActivityDeps {
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  return { homeDir: join(engine.dir, 'home'), storeDir: join(engine.dir, 'store'), hostId: 'test', log, ...(server && { server }) };
}

function leave(run: string, workflowId: string, ageMinutes: number): string {
  const home = homePaths(depsOf().homeDir);
  writeRunSecrets(home, { v: 1, run, workflowId, server: SERVER, values: { TOKEN: 'value' } });
  const file = join(home.secretsDir, run);
  const then = Date.now() / 1_000 - ageMinutes * 60;
  utimesSync(file, then, then);
  return file;
}

test('they stay while the run or one of its faults is open, and go when neither is', async () => {
  const stuck = chaos('stuck', 'true', 'test -e "$WORK/heal"', { recover: { run: 'shell', cmd: 'test -e "$WORK/heal"', withinMs: 1_000 } });
  const run = await engine.start(plan({ chaos: [stuck], testcases: [testcase('t', [inject('stuck'), command('nap', 'sleep 5')])] }));
  const file = leave(run.info.run, run.id, 5);
  const fault = run.fault('t', 'stuck');
  await expect.poll(async () => (await fault.describe().catch(() => undefined))?.status.name, { timeout: 15_000 }).toBe('RUNNING');
  expect(await sweepSecrets(depsOf(), engine.client)).toEqual([]);
  await run.handle.terminate('test');
  await run.testcase('t').terminate('test');
  expect(await sweepSecrets(depsOf(), engine.client)).toEqual([]);
  expect(existsSync(file)).toBe(true);
  await fault.terminate('test');
  // Lists of open workflows lag behind.
  await expect.poll(() => sweepSecrets(depsOf(), engine.client), { timeout: 15_000, interval: 500 }).toEqual([run.info.run]);
  expect(existsSync(file)).toBe(false);
}, 60_000);

test('a run that the server does not know may be starting; after ten minutes it is not', async () => {
  const young = leave('young', 'onetear/x/young', 5);
  const old = leave('old', 'onetear/x/old', 11);
  expect(await sweepSecrets(depsOf({ ...SERVER, queue: 'another' }), engine.client)).toEqual([]);
  expect(await sweepSecrets(depsOf({ ...SERVER, address: 'elsewhere:1' }), engine.client)).toEqual([]);
  expect(await sweepSecrets(depsOf(), engine.client)).toEqual(['old']);
  expect([existsSync(young), existsSync(old)]).toEqual([true, false]);
});

test('start names what is missing or unusable before it starts anything', async () => {
  const play = createPlayground({ SHORT: 'abc' });
  play.write('suite.yaml', 'secrets: [ONE, TWO, SHORT]\ntestcases: [{ name: t, steps: [{ cmd: echo }] }]\n');
  play.write('bad.txt', 'ONE=1111\nnonsense with-a-value\n');
  play.write('good.txt', 'ONE=1111\nTWO=2222\n');
  const failing = async (...args: readonly string[]): Promise<string> => {
    const { code, stderr } = await play.run(['start', 'suite.yaml', ...args]);
    expect(code).toBe(4);
    return stderr;
  };
  expect(await failing()).toContain('CLI_SECRET_MISSING: no value for secrets ONE, TWO: not in the environment');
  const bad = await failing('--secrets-file', 'bad.txt');
  expect(bad).toContain('CLI_SECRETS_FILE: bad.txt:2: is not NAME=VALUE');
  expect(bad).not.toContain('with-a-value');
  expect(await failing('--secrets-file', 'none.txt')).toContain('cannot be read (ENOENT)');
  const short = await failing('--secrets-file', 'good.txt');
  expect(short).toContain('CLI_SECRET_UNUSABLE: secret SHORT is shorter than 4 characters');
  expect(short).not.toContain('abc');
  expect(existsSync(join(play.home, 'server'))).toBe(false);
}, 60_000);
