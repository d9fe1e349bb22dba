import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPlayground, type Playground } from '../support/onetear.ts';

/** Places that cannot be written: the verdict stays what it was, and the word is one line. */

let play: Playground;
beforeAll(async () => {
  play = createPlayground();
  // The run itself takes its results folder away, as a disk that fills up while it goes on.
  play.write('gone.yaml', 'commands: [{ name: a, cmd: rm -rf out && echo x > out; exit 1 }]\ntestcases: [{ name: t, steps: [a] }]\n');
  play.write('pass.yaml', 'commands: [{ name: a, cmd: "true" }]\ntestcases: [{ name: t, steps: [a] }]\n');
  expect((await play.run(['server', 'start'])).code).toBe(0);
});
afterAll(() => play.close());

test('a results folder that cannot be written at the end does not take the verdict', async () => {
  const { code, stdout, stderr } = await play.run(['start', 'gone.yaml', '--results', 'out'], 30_000);
  expect(stdout).toContain('failed: 1 failed');
  expect(stderr).toMatch(/^results not written: E\w+: .* at .*out; onetear report \S+ --results DIR$/m);
  expect(code).toBe(1);
  expect((await play.run(['report', 'last', '--results', 'elsewhere'])).code).toBe(0);
  expect(play.exists('elsewhere/run.json')).toBe(true);
});

test.runIf(existsSync('/proc/self'))('a folder below one that takes no entries is a usage error at once', async () => {
  const started = await play.run(['start', 'pass.yaml', '--results', '/proc/onetear-no'], 20_000);
  expect(started.stderr).toContain('CLI_RESULTS_UNWRITABLE');
  expect(started.code).toBe(4);
  for (const option of ['--results', '--html']) {
    const { code, stderr } = await play.run(['report', 'last', option, '/proc/onetear-no'], 20_000);
    expect(stderr).toContain('CLI_RESULTS_UNWRITABLE');
    expect(code).toBe(4);
  }
});
