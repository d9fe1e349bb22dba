import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPlayground, eventsOf, type Playground, root } from '../support/onetear.ts';

const suite = join(root, 'examples', 'quickstart', 'suite.yaml');
let play: Playground;
beforeAll(() => {
  play = createPlayground();
});
afterAll(() => play.close());

it('passes, and proves that no acknowledged write was lost', async () => {
  const began = Date.now();
  const { code, stdout, stderr } = await play.run(['start', suite, '--output', 'json', '--results', 'good']);
  expect(code, stderr + stdout.slice(-3000)).toBe(0);
  const final = eventsOf(stdout).at(-1);
  expect(final).toMatchObject({ verdict: 'passed', recovery: 'clean', counts: { passed: 2, failed: 0 } });
  const faults = eventsOf(stdout).filter((event) => event.type === 'fault');
  expect(faults.map((event) => event['state'])).toEqual(expect.arrayContaining(['injected', 'recovered']));
  // The README promises 20 s; the rest is a cold start of the server.
  expect(Date.now() - began).toBeLessThan(40_000);
}, 120_000);

it('fails against the service that loses writes, and says which', async () => {
  const { code, stdout } = await play.run([
    'start',
    suite,
    '--output',
    'json',
    '--results',
    'lossy',
    '--param',
    'lossy=true',
    '-k',
    'failover',
  ]);
  expect(code).toBe(1);
  const finished = eventsOf(stdout).find((event) => event.type === 'testcase_finished');
  expect(finished).toMatchObject({ verdict: 'failed', recovery: 'clean' });
  expect(String(finished?.['reason'])).toMatch(/lost [1-9]\d*: key-\d+/);
  expect(readFileSync(join(play.dir, 'lossy', 'junit.xml'), 'utf8')).toMatch(/<failure[^>]*lost [1-9]/);
}, 120_000);
