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

it('is refused at start while its hosts cannot be reached by this version, never run somewhere else', async () => {
  const play = createPlayground();
  const started = await play.run(['start', suite, '--output', 'json']);
  expect(started.code).toBe(4);
  expect(started.stdout).toMatch(/not supported yet/);
});
