import { existsSync, writeFileSync } from 'node:fs';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { jobName } from '../../activities/nodes/job-name.ts';
import { recoverFault } from '../../activities/recover-fault.ts';
import { sampleCommand } from '../../activities/sample-command.ts';
import type { RecoverInput, SampleInput } from '../../dsl/model/workflow-io.ts';
import { address, attend, LOCAL, makeWorld, runInfo, settle, shell, until, type World } from './support.ts';

let world: World;
beforeEach(() => {
  world = makeWorld();
});
afterEach(() => world.close());
const lines = (name: string): number => (existsSync(world.path(name)) ? world.read(name).split('\n').length - 1 : 0);

const sampleInput = (cmd: string, more: Partial<SampleInput> = {}): SampleInput => ({
  v: 1,
  run: runInfo(world),
  address: address('w'),
  node: LOCAL,
  command: shell(cmd),
  match: {},
  mode: 'until',
  windowMs: 2_000,
  everyMs: 100,
  timeoutMs: 1_000,
  scope: {},
  badVerdict: 'failed',
  journal: [],
  ...more,
});
const sample = (cmd: string, more: Partial<SampleInput> = {}, attendance = attend()) =>
  settle(sampleCommand(world.deps, sampleInput(cmd, more), attendance));

describe('until', () => {
  it('passes at the first sample that matches', async () => {
    const { result } = await sample('echo x >>runs; wc -l <runs', { match: { gte: 3 } });
    expect(result).toMatchObject({ verdict: 'passed', samples: { taken: 3, unknown: 0 }, stdout: { text: '3\n' } });
    expect(lines('runs')).toBe(3);
  });

  it('fails after the window and shows the last sample', async () => {
    const from = Date.now();
    const { result, failure } = await sample('echo x >>runs; echo "n $(wc -l <runs)"', { match: { contains: ['green'] }, windowMs: 600 });
    expect(Date.now() - from).toBeLessThan(5_000);
    expect(failure?.retryable).toBe(false);
    expect(result?.verdict).toBe('failed');
    expect(result?.reason).toMatch(/^not within 600ms \(\d+ samples\): last: stdout does not contain "green": "n \d+/);
    expect(result?.samples?.taken).toBe(lines('runs'));
    expect(result?.stdout.text).toBe(`n ${lines('runs')}\n`);
  });

  it('counts a sample that takes too long as not matching', async () => {
    const { result } = await sample('sleep 30', { windowMs: 700, timeoutMs: 300 });
    expect(result).toMatchObject({ verdict: 'failed', reason: expect.stringMatching(/last: timeout after 300ms$/) as unknown });
  });

  it('shows the last sample that ran to its end, not the one that the end of the window cut off', async () => {
    const cmd = 'echo x >>seen; [ $(wc -l <seen) -lt 2 ] || sleep 30; echo not yet';
    const { result } = await sample(cmd, { match: { contains: ['ready'] }, windowMs: 600, timeoutMs: 20_000 });
    expect(result).toMatchObject({
      verdict: 'failed',
      reason: expect.stringMatching(
        /^not within 600ms \(2 samples\): last that ran to its end: stdout does not contain "ready": "not yet.*; one more was cut off/,
      ) as unknown,
      stdout: { text: 'not yet\n' },
    });
  });

  it('is void for the verify of a fault', async () => {
    expect((await sample('false', { windowMs: 200, badVerdict: 'void' })).result?.verdict).toBe('void');
  });

  it('is broken when no sample could be taken', async () => {
    const { result } = await sample('true', { windowMs: 300, command: shell('true', { cwd: '/no/such' }) });
    expect(result).toMatchObject({
      verdict: 'broken',
      reason: expect.stringMatching(/could not be taken: the working directory/) as unknown,
    });
    expect(result?.samples?.unknown).toBe(result?.samples?.taken);
  });
});

describe('always and never', () => {
  it('pass when all samples of the window are fine', async () => {
    const always = await sample('echo ok', { mode: 'always', match: { contains: ['ok'] }, windowMs: 500 });
    expect(always.result?.verdict).toBe('passed');
    expect(always.result?.samples?.taken).toBeGreaterThanOrEqual(2);
    const never = await sample('echo ok; exit 3', { mode: 'never', match: { contains: ['split'] }, windowMs: 300, address: address('n') });
    expect(never.result?.verdict).toBe('passed');
  });

  it('name the condition that holds, as what was not wanted', async () => {
    const { result } = await sample('echo 42', { mode: 'never', match: { contains: ['43', '42'] }, windowMs: 300 });
    expect(result?.reason).toMatch(/contains "42" holds/);
    expect(result?.checks.filter(({ ok }) => ok !== true)).toMatchObject([{ matcher: 'contains', expected: 'never "42"', ok: false }]);
  });

  it('note that no sample of a never exited with 0', async () => {
    const match = { contains: ['split'] };
    const { result } = await sample('no_such_program', { mode: 'never', match, windowMs: 200 });
    expect(result?.verdict).toBe('passed');
    expect(result?.checks.at(-1)).toMatchObject({
      matcher: 'exit_code',
      ok: true,
      actual: expect.stringMatching(/^none of \d+ samples exited with 0; the last: exit code 127$/) as unknown,
    });
    const fine = await sample('echo fine', { mode: 'never', match, windowMs: 200, address: address('n') });
    expect(fine.result?.checks).toHaveLength(1);
  });

  it('do not take an expression that fails for one that does not hold', async () => {
    const { result } = await sample('echo hi', { mode: 'never', match: { expr: ['int(stdout) > 5'] }, windowMs: 200 });
    expect(result).toMatchObject({
      verdict: 'broken',
      reason: expect.stringMatching(/could not be taken: cannot decide expr int\(stdout\) > 5/) as unknown,
    });
  });

  it('fail at the first bad sample', async () => {
    const always = await sample('echo x >>runs; test "$(wc -l <runs)" -lt 3', { mode: 'always', windowMs: 20_000 });
    expect(always.result).toMatchObject({ verdict: 'failed', samples: { taken: 3 }, exitCode: 1 });
    expect(always.result?.reason).toMatch(/^always: sample 3 after .*: exit code 1, expected 0/);
    const never = await sample('echo x >>seen; cat seen', { mode: 'never', match: { lines: 2 }, windowMs: 20_000, address: address('n') });
    expect(never.result).toMatchObject({ verdict: 'failed', samples: { taken: 2 } });
  });
});

describe('samples killed at their timeout', () => {
  const killed = { windowMs: 500, timeoutMs: 200 } as const;

  it('say nothing for never and always', async () => {
    for (const mode of ['never', 'always'] as const) {
      const { result } = await sample('echo fine; sleep 30', { ...killed, mode, match: { contains: ['split'] }, address: address(mode) });
      expect(result).toMatchObject({
        verdict: 'broken',
        reason: expect.stringMatching(/could not be taken: timeout after 200ms/) as unknown,
      });
      expect(result?.samples?.unknown).toBe(result?.samples?.taken);
    }
  });

  it('fail never by what they wrote before, but not by what they did not come to write', async () => {
    const { result } = await sample('echo split; sleep 30', { ...killed, mode: 'never', match: { contains: ['split'] } });
    expect(result).toMatchObject({ verdict: 'failed', timedOut: true, samples: { taken: 1, unknown: 0 } });
    expect(result?.reason).toMatch(/^never: sample 1 after .*"split"/);
    const absent = await sample('sleep 30', { ...killed, mode: 'never', match: { not_contains: ['ok'] }, address: address('n') });
    expect(absent.result?.verdict).toBe('broken');
  });
});

describe('a new attempt', () => {
  it('finds the samples that were taken, takes none twice, and keeps the window', async () => {
    const first = attend(1);
    const cmd = 'echo "$ONETEAR_TRY" >>runs; echo x';
    const working = sample(cmd, { match: { contains: ['green'] }, windowMs: 1_500 }, first);
    await until(() => lines('runs') >= 4);
    first.stop('detach');
    expect((await working).failure).toMatchObject({ type: 'Detached' });
    const before = lines('runs');
    const from = Date.now();
    // No heartbeat had arrived: the records alone must do.
    const { result } = await sample(cmd, { match: { contains: ['green'] }, windowMs: 1_500 }, attend(2));
    expect(Date.now() - from).toBeLessThan(10_000);
    const numbers = world.read('runs').trim().split('\n').map(Number);
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, index) => index + 1));
    expect(result?.samples?.taken).toBe(numbers.length);
    expect(numbers.length).toBeGreaterThan(before);
    expect(result?.verdict).toBe('failed');
  });

  it('goes on from the counts of the last heartbeat', async () => {
    const prefix = `${jobName(runInfo(world), address('w'), 'n1')}.s`;
    const { result } = await sample('true', {}, attend(2, { prefix, next: 8, taken: 7, unknown: 2 }));
    expect(result).toMatchObject({ verdict: 'passed', samples: { taken: 8, unknown: 2 } });
  });

  it('ends the running sample on a cancel', async () => {
    const first = attend(1);
    const working = sample('echo 1 >>runs; sleep 60', { timeoutMs: 30_000, windowMs: 60_000 }, first);
    await until(() => lines('runs') === 1);
    first.stop('cancel');
    expect(await working).toMatchObject({ failure: { type: 'CancelledFailure' }, result: { verdict: 'broken', reason: 'cancelled' } });
  });
});

describe('recoverFault', () => {
  const input = (cmd: string, more: Partial<RecoverInput> = {}): RecoverInput => ({
    v: 1,
    run: runInfo(world),
    address: address('f/recover'),
    node: LOCAL,
    command: shell(cmd),
    timeoutMs: 5_000,
    scope: {},
    journal: [],
    ...more,
  });
  const recover = (attempt: number, cmd: string, more: Partial<RecoverInput> = {}, attendance = attend(attempt)) =>
    settle(recoverFault(world.deps, input(cmd, more), attendance));

  it('tries anew on each attempt until the command succeeds', async () => {
    const cmd = 'echo x >>runs; test "$(wc -l <runs)" -ge 3';
    for (const attempt of [1, 2]) {
      const { failure } = await recover(attempt, cmd);
      // The policy of the workflow says when: no delay of ours.
      expect(failure).toMatchObject({ type: 'StepFailed', retryable: true, delayMs: undefined });
    }
    expect((await recover(3, cmd)).result).toMatchObject({ verdict: 'passed' });
    expect(lines('runs')).toBe(3);
  });

  it('is confirmed only when its verify holds', async () => {
    const verify = { command: shell('cat state'), match: { contains: ['up'] }, withinMs: 400, everyMs: 50 };
    const { result, failure } = await recover(1, 'echo x >>runs; echo down >state', { verify });
    expect(failure?.retryable).toBe(true);
    expect(result?.reason).toMatch(/^recover ran, but its verify does not hold: not within 400ms/);
    writeFileSync(world.path('state'), 'up\n');
    expect((await recover(2, 'echo x >>runs; echo up >state', { verify })).result).toMatchObject({
      verdict: 'passed',
      samples: { taken: 1 },
    });
    expect(lines('runs')).toBe(2);
  });

  it('waits for a recovery that an earlier attempt left running, instead of a second one beside it', async () => {
    const first = attend(1);
    const working = recover(1, 'echo x >>runs; sleep 0.6', {}, first);
    await until(() => lines('runs') === 1);
    first.stop('detach');
    await working;
    expect((await recover(2, 'echo x >>runs')).result).toMatchObject({ verdict: 'passed' });
    expect(lines('runs')).toBe(1);
  });

  it('tries again after one whose end nobody saw', async () => {
    const { result, failure } = await recover(1, 'echo x >>runs; kill -9 $PPID; sleep 0.1');
    expect(result?.reason).toMatch(/^command lost/);
    expect(failure?.retryable).toBe(true);
    expect((await recover(2, 'echo x >>runs')).result?.verdict).toBe('passed');
  });
});
