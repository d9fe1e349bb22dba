import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPlayground, root, type Playground } from '../support/onetear.ts';

/** The package as a program imports it: by its name, built. */

let play: Playground;
beforeAll(() => {
  play = createPlayground();
});
afterAll(() => play.close());

const PROGRAM = `
import { openRun, startSuite } from 'onetear';
const context = { cwd: process.env.PLAY, env: process.env };
const started = await startSuite('one.yaml', {}, context);
const live = [];
for await (const event of started.events()) live.push(event);
await started.close();
const opened = await openRun(started.run, {}, context);
const again = [];
for await (const event of opened.events()) again.push(event);
await opened.close();
const error = await startSuite('bad.yaml', {}, context).catch(({ code, exit }) => ({ code, exit }));
console.log(JSON.stringify({ run: started.run, live, again, error }));
`;

test('startSuite and openRun give the events of a run up to its verdict', async () => {
  play.write('one.yaml', 'commands: [{ name: bad, cmd: exit 3 }]\ntestcases: [{ name: one, steps: [bad] }]\n');
  play.write('bad.yaml', 'testcases: nonsense\n');
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', PROGRAM], {
    cwd: root,
    env: { ...process.env, ONETEAR_HOME: play.home, PLAY: play.dir },
    timeout: 60_000,
  });
  const { live, again, error } = JSON.parse(stdout.trim().split('\n').at(-1) as string);
  expect(live[0]).toMatchObject({ type: 'run_started', total: 1 });
  expect(live.at(-1)).toMatchObject({ type: 'run_finished', verdict: 'failed', exit: 1 });
  expect(again.map(({ type }: { type: string }) => type)).toEqual(live.map(({ type }: { type: string }) => type));
  expect(error).toEqual({ code: 'SUITE_INVALID', exit: 4 });
}, 90_000);
