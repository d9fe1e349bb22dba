import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { blobPath } from '../../activities/store/blob-store.ts';
import { nodePool } from '../../activities/nodes/node-pool.ts';
import { forgetRun } from '../../activities/nodes/forget-run.ts';
import { jobName } from '../../activities/nodes/job-name.ts';
import { runCommand } from '../../activities/run-command.ts';
import {
  address,
  attend,
  commandInput,
  lives,
  LOCAL,
  makeWorld,
  runInfo,
  settle,
  shell as shellCommand,
  until,
  type World,
} from './support.ts';

let world: World;
beforeEach(() => {
  world = makeWorld();
});
afterEach(() => world.close());

const run = (...args: Parameters<typeof commandInput> extends [World, ...infer Rest] ? Rest : never) =>
  settle(runCommand(world.deps, commandInput(world, ...args), attend()));
const count = (name: string): number => (existsSync(world.path(name)) ? world.read(name).split('\n').length - 1 : 0);

/** Tests of the long set do not exist in the everyday one: nothing is skipped there. */
const onlyLong: typeof it | ((name: string, test: () => Promise<void>, timeoutMs?: number) => void) = process.env['ONETEAR_LONG']
  ? it
  : () => undefined;

describe('one try', () => {
  it('passes a command that exits 0 and shows its output', async () => {
    const { result } = await run('a', 'echo hello; echo oops >&2; pwd');
    expect(result).toMatchObject({
      verdict: 'passed',
      exitCode: 0,
      tries: 1,
      stdout: { text: `hello\n${world.root}\n`, truncated: false },
      stderr: { text: 'oops\n', bytes: 5 },
    });
    expect(result?.incarnation).toMatch(/^[0-9a-f]{16}-/);
  });

  it('fails another exit code, reason first, once and for all', async () => {
    const { result, failure } = await run('a', 'no_such_program_anywhere');
    expect(result).toMatchObject({ verdict: 'failed', exitCode: 127 });
    expect(result?.reason).toMatch(/^exit code 127, expected 0: .*no_such_program_anywhere/);
    expect(failure).toMatchObject({ type: 'StepFailed', retryable: false });
  });

  it('runs a list without a shell', async () => {
    const { result } = await run('a', ['printf', '%s|', '$HOME', "it's", '*', 'a b', '']);
    expect(result?.stdout.text).toBe("$HOME|it's|*|a b||");
    expect((await run('b', ['no-such-program'])).result).toMatchObject({ verdict: 'failed', exitCode: 127 });
  });

  it('runs bash when asked to', async () => {
    const { result } = await run('a', '[[ x == x ]] && echo "${BASH_VERSION:+bash}"', {
      command: shellCommand('[[ x == x ]] && echo "${BASH_VERSION:+bash}"', { shell: 'bash' }),
    });
    expect(result).toMatchObject({ verdict: 'passed', stdout: { text: 'bash\n' } });
  });

  it('sets the variables of every command', async () => {
    const { result } = await run(
      'a',
      'echo "$ONETEAR_RUN $ONETEAR_TESTCASE $ONETEAR_STEP $ONETEAR_NODE $ONETEAR_TRY"; echo "$TRACEPARENT"',
    );
    expect(result?.stdout.text).toMatch(new RegExp(`^${world.run} t a n1 1\n00-[0-9a-f]{32}-[0-9a-f]{16}-01\n$`));
  });

  it('makes an inject void, not failed', async () => {
    expect((await run('a', 'exit 1', { badVerdict: 'void' })).result?.verdict).toBe('void');
  });

  it('fails a timeout with its length, and kills the tree', async () => {
    const { result, failure } = await run('a', `sleep 60 & echo $! >"${world.path('pid')}"; wait`, { timeoutMs: 1_500 });
    expect(result).toMatchObject({ verdict: 'failed', reason: 'timeout after 1.5s', timedOut: true, exitCode: null });
    expect(failure?.retryable).toBe(false);
    expect(lives(Number(world.read('pid')))).toBe(false);
  });

  it.each([
    ['a working directory that is not there', { command: shellCommand('true', { cwd: '/no/such/folder' }) }, /working directory/],
    ['a NUL byte', { command: shellCommand('echo \0') }, /NUL/],
    [
      'a run type that this worker does not know',
      { command: shellCommand('x', { run: 'telepathy' as never }) },
      /not supported yet: run: telepathy/,
    ],
    [
      'a user that does not exist',
      { command: shellCommand('true', { user: 'no-such-user' }), node: { ...LOCAL, connectWithinMs: 300 } },
      /n1/,
    ],
  ])('is broken by %s', async (_, more, reason) => {
    const { result, failure } = await run('a', 'true', more);
    expect(result).toMatchObject({ verdict: 'broken', reason: expect.stringMatching(reason) as unknown, tries: 0 });
    expect(failure?.retryable).toBe(false);
  });

  it.runIf(process.getuid?.() === 0)('runs as another user, with that user as owner of the job', async () => {
    chmodSync(world.root, 0o1777);
    const { result } = await run('a', 'as below', {
      command: shellCommand('id -un; echo "$HOME $USER"; pwd', { user: 'nobody' }),
    });
    expect(result).toMatchObject({ verdict: 'passed' });
    expect(result?.stdout.text).toMatch(/^nobody\n\S+ nobody\n/);
  });
});

describe('judging', () => {
  it.each([
    ['contains', 'echo lag 12', { contains: ['lag', 12] }, 'passed'],
    ['contains', 'echo lag 12', { contains: ['walking'] }, 'failed'],
    ['not_contains', 'echo lag', { not_contains: ['lag'] }, 'failed'],
    ['matches', 'echo lag 12', { matches: ['^lag \\d+$'] }, 'passed'],
    ['not_matches', 'echo lag 12', { not_matches: ['\\d'] }, 'failed'],
    ['exit_code', 'exit 3', { exit_code: { in: [3, 4] } }, 'passed'],
    ['stderr', 'echo x >&2', { stderr: { empty: true } }, 'failed'],
    ['stderr matches', 'echo x >&2', { stderr: { matches: ['^x$'] } }, 'passed'],
    ['json', `echo '{"a":[1]}'`, { json: { 'a[0]': 1 } }, 'passed'],
    ['expr', 'echo 12', { expr: ['int(stdout.trim()) * 2 == limit'] }, 'passed'],
    ['lines', 'echo; echo; printf x', { lines: 3 }, 'passed'],
    ['duration', 'true', { duration: { lt: 20 } }, 'passed'],
  ] as const)('judges %s of %s', async (_, cmd, expected, verdict) => {
    expect((await run('a', cmd, { expect: expected, scope: { limit: 24 } })).result?.verdict).toBe(verdict);
  });

  onlyLong(
    'stops a regular expression that does not end, and says so',
    async () => {
      const { result } = await run('a', `printf '%s' aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab`, {
        expect: { matches: ['^(a+)+$'] },
      });
      expect(result).toMatchObject({ verdict: 'broken', reason: expect.stringMatching(/^condition too slow/) as unknown });
    },
    20_000,
  );

  it('gives outputs with their types', async () => {
    const { result } = await run('a', `echo '{"n": 3}'`, { outputs: { n: 'json.n', text: 'stdout.trim()', code: 'exit_code' } });
    expect(result?.outputs).toEqual({ n: 3, text: '{"n": 3}', code: 0 });
  });

  it('is broken when an output cannot be computed', async () => {
    const { result } = await run('a', 'echo x', { outputs: { n: 'json.n' } });
    expect(result).toMatchObject({ verdict: 'broken', reason: expect.stringMatching(/^outputs\.n: .*JSON/) as unknown });
  });

  it('keeps stdout whole when asked, up to 16 KiB', async () => {
    const { result } = await run('a', 'head -c 16384 /dev/zero | tr "\\0" x', { keepStdout: true });
    expect(result?.fullStdout?.length).toBe(16_384);
    const longer = await run('b', 'head -c 16385 /dev/zero | tr "\\0" x', { keepStdout: true });
    expect(longer.result).toMatchObject({ verdict: 'broken', reason: expect.stringMatching(/^use outputs/) as unknown });
  });

  it('cuts long output in the middle, keeps it whole in the store, and never splits a character', async () => {
    const text = 'ä€😀'.repeat(3_000);
    writeFileSync(world.path('text'), text);
    const { result } = await run('a', 'cat text', { hashStdout: true });
    const { stdout } = result as NonNullable<typeof result>;
    expect(stdout).toMatchObject({ bytes: Buffer.byteLength(text), truncated: true });
    expect(Buffer.byteLength(stdout.text)).toBeLessThanOrEqual(8_192);
    expect(stdout.text).not.toContain('\uFFFD');
    const [head = '', left = '', tail = ''] = stdout.text.split('\n');
    expect(text.startsWith(head) && text.endsWith(tail)).toBe(true);
    expect(left).toBe(`… ${Buffer.byteLength(text) - Buffer.byteLength(head) - Buffer.byteLength(tail)} bytes left out …`);
    expect(readFileSync(blobPath(world.deps.storeDir, stdout.artifact ?? ''), 'utf8')).toBe(text);
  });

  it('shows binary output as valid text within the limit', async () => {
    const { result } = await run('a', 'head -c 6000 /dev/zero | tr "\\0" "\\377"');
    expect(result?.stdout.truncated).toBe(true);
    expect(Buffer.byteLength(result?.stdout.text ?? '')).toBeLessThanOrEqual(8_192);
    expect(result?.stdout.bytes).toBe(6_000);
  });

  it('judges 50 MiB in one pass without holding them', async () => {
    const before = process.memoryUsage().rss;
    let peak = before;
    const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 20);
    const from = performance.now();
    const { result } = await run('a', `head -c 52428795 /dev/zero | tr '\\0' x; printf 'ndend'`, {
      expect: { not_contains: ['y'], contains: ['xnde'], lines: 1 },
    });
    clearInterval(watch);
    expect(result).toMatchObject({ verdict: 'passed', stdout: { bytes: 52_428_800, truncated: true } });
    expect(peak - before).toBeLessThan(64 * 1024 * 1024);
    expect(performance.now() - from).toBeLessThan(20_000);
  }, 40_000);

  onlyLong(
    'holds 1 GiB flat',
    async () => {
      const before = process.memoryUsage().rss;
      let peak = before;
      const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 20);
      const { result } = await run('a', 'head -c 1073741824 /dev/zero', { expect: { not_contains: ['y'] } });
      clearInterval(watch);
      expect(result?.verdict).toBe('passed');
      expect(peak - before).toBeLessThan(96 * 1024 * 1024);
    },
    300_000,
  );

  it('does not decide over the cap', async () => {
    const { result } = await run('a', `head -c ${64 * 1024 * 1024 + 1} /dev/zero | tr '\\0' x`, {
      expect: { not_matches: ['y'], exit_code: 0 },
    });
    expect(result).toMatchObject({ verdict: 'broken', reason: expect.stringMatching(/^cannot decide not_matches/) as unknown });
  }, 40_000);
});

describe('tries', () => {
  const retry = { max: 2, delayMs: 100, backoff: 3, maxDelayMs: 200, when: ['exit_code', 'expect', 'timeout'] as const };
  const again = (attempt: number, cmd: string, more = {}) =>
    settle(runCommand(world.deps, commandInput(world, 'a', cmd, { retry, ...more }), attend(attempt)));
  const CMD = 'echo "$ONETEAR_TRY" >>runs; test "$ONETEAR_TRY" = 3';

  it('asks the server for the next try, with its delay, and passes on the third', async () => {
    const first = await again(1, CMD);
    expect(first.failure).toMatchObject({ type: 'StepFailed', retryable: true, delayMs: 100 });
    const second = await again(2, CMD);
    expect(second.failure).toMatchObject({ retryable: true, delayMs: 200 });
    const third = await again(3, CMD);
    expect(third.result).toMatchObject({ verdict: 'passed', tries: 3 });
    expect(third.result?.earlierTries).toMatchObject([{ exitCode: 1, reason: 'exit code 1, expected 0' }, { exitCode: 1 }]);
    expect(world.read('runs')).toBe('1\n2\n3\n');
  });

  it('fails for good when no try is left', async () => {
    await again(1, 'exit 4');
    await again(2, 'exit 4');
    const { result, failure } = await again(3, 'exit 4');
    expect(failure?.retryable).toBe(false);
    expect(result).toMatchObject({ verdict: 'failed', tries: 3 });
  });

  it('counts tries by the records, not by attempts', async () => {
    // Attempts 1 to 4 were lost with their workers before they had started anything; the fifth is the first try.
    expect((await again(5, CMD)).failure).toMatchObject({ retryable: true, delayMs: 100 });
    expect(world.read('runs')).toBe('1\n');
    expect((await again(9, CMD)).failure).toMatchObject({ retryable: true, delayMs: 200 });
    expect((await again(10, CMD)).result).toMatchObject({ verdict: 'passed', tries: 3 });
    expect(world.read('runs')).toBe('1\n2\n3\n');
  });

  it('judges a try that ended unseen, without running it again', async () => {
    const attempt = attend(1);
    const working = settle(runCommand(world.deps, commandInput(world, 'a', 'echo 1 >>runs; sleep 0.3; exit 1', { retry }), attempt)).catch(
      (error: unknown) => error,
    );
    await until(() => count('runs') === 1);
    attempt.stop('detach');
    await working;
    await new Promise((resolve) => setTimeout(resolve, 500));
    const { result, failure } = await again(2, 'echo never >>runs');
    expect(result).toMatchObject({ exitCode: 1, tries: 1 });
    expect(failure).toMatchObject({ retryable: true });
    expect(world.read('runs')).toBe('1\n');
  });

  it.each([
    ['when', { when: ['timeout'] }],
    ['exit_codes', { exitCodes: [5] }],
  ])('does not try again when %s does not fit', async (_, policy) => {
    const { failure } = await again(1, 'exit 4', { retry: { ...retry, ...policy } });
    expect(failure?.retryable).toBe(false);
  });
});

describe('attempts', () => {
  const name = (step: string): string => `${jobName(runInfo(world), address(step), 'n1')}.t1`;

  it('detaches without harm, and the next attempt reads code and output', async () => {
    const first = attend(1);
    const working = settle(
      runCommand(world.deps, commandInput(world, 'a', 'echo begin >>runs; echo one; sleep 0.6; echo two; exit 6'), first),
    );
    await until(() => count('runs') === 1);
    first.stop('detach');
    expect((await working).failure).toMatchObject({ type: 'Detached', retryable: true });
    nodePool(world.deps).close();

    const { result } = await settle(runCommand(world.deps, commandInput(world, 'a', 'echo again >>runs'), attend(2, { job: name('a') })));
    expect(result).toMatchObject({ verdict: 'failed', exitCode: 6, tries: 1, stdout: { text: 'one\ntwo\n' } });
    expect(world.read('runs')).toBe('begin\n');
  });

  it('ends the command on a cancel, and tells what it had said', async () => {
    const first = attend(1);
    const working = settle(runCommand(world.deps, commandInput(world, 'a', 'echo said; echo $$ >>runs; sleep 60'), first));
    await until(() => count('runs') === 1);
    first.stop('cancel');
    const { result, failure } = await working;
    expect(failure).toMatchObject({ type: 'CancelledFailure' });
    expect(result).toMatchObject({ verdict: 'broken', reason: 'cancelled', stdout: { text: 'said\n' } });
    expect(lives(Number(world.read('runs')))).toBe(false);
  });

  it('gives the real result when the command was over before the cancel', async () => {
    const first = attend(1);
    const { result } = await settle(runCommand(world.deps, commandInput(world, 'a', 'exit 0'), first));
    expect(result?.verdict).toBe('passed');
    const second = attend(2);
    second.stop('cancel');
    const { result: again } = await settle(runCommand(world.deps, commandInput(world, 'a', 'exit 0'), second));
    expect(again?.verdict).toBe('passed');
  });

  it('does not start what is cancelled before', async () => {
    const first = attend(1);
    first.stop('cancel');
    const { result } = await settle(runCommand(world.deps, commandInput(world, 'a', 'echo 1 >>runs'), first));
    expect(result).toMatchObject({ verdict: 'broken', reason: 'cancelled before it started' });
    expect(count('runs')).toBe(0);
  });

  it('is broken, not passed and not run again, when the supervisor was killed', async () => {
    const first = attend(1);
    const working = settle(runCommand(world.deps, commandInput(world, 'a', 'echo 1 >>runs; echo out; sleep 0.3'), first));
    await until(() => count('runs') === 1);
    process.kill(Number(readFileSync(`${world.jobs}/${name('a').split('/')[1]}/go`, 'utf8').split('.')[1]), 'SIGKILL');
    const { result, failure } = await working;
    expect(result).toMatchObject({
      verdict: 'broken',
      reason: expect.stringMatching(/^command lost/) as unknown,
      stdout: { text: 'out\n' },
      exitCode: null,
    });
    expect(failure?.retryable).toBe(false);
    const later = await settle(runCommand(world.deps, commandInput(world, 'a', 'echo 2 >>runs'), attend(2)));
    expect(later.result).toMatchObject({ verdict: 'broken', reason: expect.stringMatching(/^command lost/) as unknown });
    expect(world.read('runs')).toBe('1\n');
  });

  it('starts under a new incarnation on the first attempt, and never on a later one that finds nothing', async () => {
    const input = commandInput(world, 'a', 'echo 1 >>runs', { incarnation: '0123456789abcdef-1' });
    const { result } = await settle(runCommand(world.deps, input, attend(2)));
    expect(result).toMatchObject({ verdict: 'broken', reason: expect.stringMatching(/^command lost/) as unknown });
    expect(count('runs')).toBe(0);
    const other = commandInput(world, 'b', 'echo 1 >>runs', { incarnation: '0123456789abcdef-1' });
    expect((await settle(runCommand(world.deps, other, attend(1)))).result?.verdict).toBe('passed');
  });

  it('never starts again what an earlier attempt says was started, when the records are gone', async () => {
    const { result } = await settle(runCommand(world.deps, commandInput(world, 'a', 'echo 2 >>runs'), attend(2, { job: name('a') })));
    expect(result).toMatchObject({ verdict: 'broken', reason: expect.stringMatching(/^command lost/) as unknown });
    expect(count('runs')).toBe(0);
  });

  it('goes on when the shell of the node is killed in the middle', async () => {
    const working = settle(runCommand(world.deps, commandInput(world, 'a', 'echo 1 >>runs; sleep 0.5; exit 3'), attend(1)));
    await until(() => count('runs') === 1);
    const session = await nodePool(world.deps).session(LOCAL, { sudo: false }, 1_000);
    process.kill(session.stream.pid as number, 'SIGKILL');
    expect((await working).result).toMatchObject({ verdict: 'failed', exitCode: 3 });
    expect(world.read('runs')).toBe('1\n');
  });

  it('beats while it waits', async () => {
    const attempt = attend(1);
    await settle(runCommand(world.deps, commandInput(world, 'a', 'sleep 1.3'), attempt));
    expect(attempt.beats).toEqual([{ job: name('a') }]);
  });

  it('forgets a run, and only that', async () => {
    await run('a', 'true');
    expect(existsSync(world.jobs)).toBe(true);
    expect(await forgetRun(world.deps, world.run, [LOCAL])).toEqual([]);
    expect(existsSync(world.jobs)).toBe(false);
    expect(await forgetRun(world.deps, '../x', [LOCAL])).toMatchObject([{ node: 'n1' }]);
  });
});

it('says at once that a user does not exist', async () => {
  const began = performance.now();
  const command = { ...commandInput(world, 'u', 'id').command, user: 'nobody_x' };
  const { result } = await settle(runCommand(world.deps, commandInput(world, 'u', 'id', { command }), attend()));
  expect(result).toMatchObject({ verdict: 'broken', reason: expect.stringMatching(/the user "nobody_x" does not exist/) as unknown });
  // Not the 30 s that an unreachable node is given.
  expect(performance.now() - began).toBeLessThan(15_000);
});

describe('a store that cannot be written', () => {
  const cmd = 'echo x >>runs; seq 1 5000; echo bad >&2; exit 3';
  const expectations = { expect: { exit_code: 3 } };

  it('is a named failure of the attempt, and in the end of the step; the command runs once', async () => {
    writeFileSync(world.deps.storeDir, 'no folder');
    for (const attempt of [1, 9]) {
      const { failure } = await settle(runCommand(world.deps, commandInput(world, 'c', cmd, expectations), attend(attempt)));
      expect(failure).toMatchObject({ type: 'STORE_FAILED', retryable: true });
    }
    const last = await settle(runCommand(world.deps, commandInput(world, 'c', cmd, expectations), attend(10)));
    expect(last.failure).toMatchObject({ type: 'StepFailed', retryable: false });
    expect(last.result).toMatchObject({ verdict: 'broken', exitCode: 3 });
    expect(last.result?.reason).toMatch(/^cannot store the output: E(NOTDIR|EXIST)/);
    expect(world.read('runs')).toBe('x\n');
  });

  it('does not stand in the way once it can be written again', async () => {
    writeFileSync(world.deps.storeDir, 'no folder');
    await settle(runCommand(world.deps, commandInput(world, 'c', cmd, expectations), attend()));
    rmSync(world.deps.storeDir);
    const { result } = await settle(runCommand(world.deps, commandInput(world, 'c', cmd, expectations), attend(2)));
    expect(result).toMatchObject({ verdict: 'passed', tries: 1 });
    expect(world.read('runs')).toBe('x\n');
  });
});
