import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createPlayground, root } from '../support/onetear.ts';

const suite = join(root, 'examples', 'seed', 'suite.yaml');

it('is valid, listed and planned exactly as it stands', async () => {
  const play = createPlayground();
  const validated = await play.run(['validate', suite, '--json']);
  expect(validated.code).toBe(0);
  expect(JSON.parse(validated.stdout)).toMatchObject({ valid: true });
  const planned = await play.run(['plan', suite, '--json']);
  expect(planned.code).toBe(0);
  const [testcase] = JSON.parse(planned.stdout).testcases;
  expect(testcase.id).toBe('primary_failover');
  expect(testcase.steps.map((step: { id: string }) => step.id)).toEqual(['show_cluster', 'kill_process', 'show_cluster#2']);
  expect(testcase.steps[1]).toMatchObject({ kind: 'chaos', duration_ms: 10_000, undo: 'systemctl start postgres' });
});

it('is broken, with what to do, where its hosts cannot be reached, and never run somewhere else', async () => {
  const play = createPlayground();
  try {
    // Wherever the tests run, these names lead to a port on which nobody listens.
    play.write('ssh_config', 'Host *\n  HostName 127.0.0.1\n  Port 9\n');
    const started = await play.run(['start', suite, '--ssh-config', join(play.dir, 'ssh_config'), '--output', 'json']);
    expect(started.code).toBe(12);
    const events = started.stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { type: string });
    expect(events.find(({ type }) => type === 'testcase_finished')).toMatchObject({
      verdict: 'broken',
      reason: expect.stringMatching(/^node pg1 cannot be reached: ssh pg1 \(\S+@127\.0\.0\.1:9\): connection refused: .*tried for 30 s/),
    });
    expect(events.at(-1)).toMatchObject({ type: 'run_finished', verdict: 'broken', recovery: 'clean', exit: 12 });
  } finally {
    await play.close();
  }
}, 120_000);
