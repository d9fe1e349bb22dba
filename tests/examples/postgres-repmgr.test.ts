import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPlayground, eventsOf, type Playground, root } from '../support/onetear.ts';

const folder = join(root, 'examples', 'postgres-repmgr');
let play: Playground;
beforeAll(() => {
  play = createPlayground();
});
afterAll(async () => {
  execFileSync(join(folder, 'cluster'), ['down'], { stdio: 'ignore' });
  await play.close();
});

it('survives the death of its primary on real PostgreSQL nodes', async () => {
  const { code, stdout, stderr } = await play.run(
    ['start', join(folder, 'suite.yaml'), '--output', 'json', '--results', 'results'],
    240_000,
  );
  expect(code, stderr + stdout.slice(-4000)).toBe(0);
  const events = eventsOf(stdout);
  expect(events.at(-1)).toMatchObject({ verdict: 'passed', recovery: 'clean' });
  const states = events.filter((event) => event.type === 'fault').map((event) => event['state']);
  expect(states).toEqual(expect.arrayContaining(['injected', 'verified', 'recovered']));
  const took = events.find((event) => event.type === 'step_finished' && event['step'] === 'write_after') as
    | { results: { stdout: string }[] }
    | undefined;
  expect(took?.results[0]?.stdout).toMatch(/^pg[23] took after/);
  // The suite's after hook removed everything.
  expect(execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' })).not.toMatch(/otpg/);
}, 300_000);
