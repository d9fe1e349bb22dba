import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPlayground, type Playground } from '../support/onetear.ts';
import { startTemporalServer } from '../support/temporal-server.ts';

/** What the user is told when something around the run is wrong. */

let play: Playground;
beforeAll(() => {
  play = createPlayground();
});
afterAll(() => play.close());

test('a store that cannot be written: said while it is tried again, then the step is broken', async () => {
  play.write('long.yaml', 'commands: [{ name: long, cmd: echo x >>runs; seq 1 5000 }]\ntestcases: [{ name: one, steps: [long] }]\n');
  mkdirSync(play.home);
  writeFileSync(join(play.home, 'store'), 'no folder');
  const { code, stdout, stderr } = await play.run(['start', 'long.yaml'], 60_000);
  expect(stderr).toMatch(/c\/one\/a1: runCommand/);
  expect(stderr).toMatch(/runCommand failed \d+ times and is tried again: STORE_FAILED: cannot store the output: E(NOTDIR|EXIST)/);
  expect(stdout + stderr).toMatch(/cannot store the output: E(NOTDIR|EXIST)/);
  expect(code).toBe(12);
  expect(stderr.match(/is tried again/g)).toHaveLength(1);
}, 90_000);

test('a home is for its user alone', async () => {
  const other = createPlayground();
  try {
    expect((await other.run(['server', 'start'])).code).toBe(0);
    expect(statSync(other.home).mode & 0o777).toBe(0o700);
  } finally {
    await other.close();
  }
}, 60_000);

test('a server of the user, --no-worker and nobody who works there', async () => {
  const server = await startTemporalServer();
  try {
    const cluster = createPlayground({ TEMPORAL_ADDRESS: server.address, TEMPORAL_NAMESPACE: server.namespace });
    cluster.write('pass.yaml', 'commands: [{ name: hello, cmd: echo hello }]\ntestcases: [{ name: greets, steps: [hello] }]\n');
    const { code, stderr } = await cluster.run(['start', 'pass.yaml', '--no-worker']);
    expect(code).toBe(4);
    expect(stderr).toContain('NO_WORKER');
    expect(stderr).toMatch(/onetear worker/);
    expect(cluster.exists('onetear-results')).toBe(false);
    await cluster.close();
  } finally {
    await server.stop();
  }
}, 60_000);
