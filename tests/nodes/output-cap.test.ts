import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { jobOutput, OUTPUT_CAP } from '../../activities/nodes/job-output.ts';
import { nodePool } from '../../activities/nodes/node-pool.ts';
import { runCommand } from '../../activities/run-command.ts';
import { blobPath } from '../../activities/store/blob-store.ts';
import { attend, commandInput, jobFolders, LOCAL, makeWorld, settle, until, type World } from './support.ts';

let world: World;
beforeEach(() => {
  world = makeWorld();
});
afterEach(() => world.close());

it('bounds the time, the disk and the log of a command that writes without end', { timeout: 60_000 }, async () => {
  const began = performance.now();
  let largest = 0;
  const running = settle(runCommand(world.deps, commandInput(world, 'a', 'yes', { timeoutMs: 3_000 }), attend()));
  const watch = setInterval(() => {
    const [folder] = existsSync(world.jobs) ? jobFolders(world) : [];
    if (folder !== undefined) largest = Math.max(largest, statSync(join(world.jobs, folder, 'out'), { throwIfNoEntry: false })?.size ?? 0);
  }, 20);
  const { result } = await running;
  clearInterval(watch);
  expect(result).toMatchObject({ verdict: 'failed', timedOut: true, reason: 'timeout after 3s' });
  expect(performance.now() - began).toBeLessThan(15_000);
  expect(result?.stdout.bytes).toBeGreaterThan(OUTPUT_CAP);
  expect(result?.stdout.text).toContain('the limit is 64 MiB');
  expect(statSync(blobPath(world.deps.storeDir, result?.stdout.artifact ?? '')).size).toBeLessThan(OUTPUT_CAP + 200);
  const [folder] = jobFolders(world);
  expect(largest).toBeGreaterThan(0);
  // Cut back while it ran: the bytes that were written are more than ever lay there at once.
  if (largest > 2 * OUTPUT_CAP) expect(statSync(join(world.jobs, folder ?? '', 'out')).size).toBeLessThan(result?.stdout.bytes ?? 0);
});

it('decides what the first 64 MiB decide, and nothing else', { timeout: 60_000 }, async () => {
  const verdictOf = async (step: string, expected: object): Promise<readonly unknown[]> => {
    const cmd = 'echo first; head -c 68000000 /dev/zero | tr "\\\\0" x; echo; echo last';
    const { result } = await settle(runCommand(world.deps, commandInput(world, step, cmd, { expect: expected }), attend()));
    return [result?.verdict, result?.reason];
  };
  const undecided = (what: string): readonly unknown[] => ['broken', `cannot decide ${what}: the output is over the limit`];
  expect(await verdictOf('a', { contains: ['first'], lines: { gte: 1 } })).toEqual(['passed', undefined]);
  expect(await verdictOf('b', { contains: ['last'] })).toEqual(undecided('contains "last"'));
  expect(await verdictOf('c', { not_contains: ['last'] })).toEqual(undecided('not_contains "last"'));
  expect(await verdictOf('d', { lines: 3 })).toEqual(undecided('lines 3'));
});

it('reads as much from a node whose files are out of reach, and learns what was cut away', { timeout: 60_000 }, async () => {
  const cmd = 'head -c 150000000 /dev/zero; sleep 2.5; head -c 150000000 /dev/zero';
  const { result } = await settle(runCommand(world.deps, commandInput(world, 'a', cmd), attend()));
  // What is written between the look and the cut is not counted.
  expect(result?.stdout.bytes).toBeGreaterThan(2 * OUTPUT_CAP);
  expect(result?.stdout.bytes).toBeLessThanOrEqual(300_000_000);
  const session = await nodePool(world.deps).session(LOCAL, { sudo: false }, 1_000);
  const [folder] = await until(() => jobFolders(world));
  const far = await jobOutput(
    { ...session, direct: false, stream: session.stream, uptimeTicks: () => session.uptimeTicks() },
    `${world.run}/${folder ?? ''}`,
    'out',
  );
  expect(far).toMatchObject({ bytes: OUTPUT_CAP, totalBytes: result?.stdout.bytes });
});
