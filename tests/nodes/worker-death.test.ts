import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { runCommand } from '../../activities/run-command.ts';
import type { RunCommandInput } from '../../dsl/model/workflow-io.ts';
import { buildActivities } from './built.ts';
import { attend, commandInput, makeWorld, settle, until, type World } from './support.ts';

const ROUNDS = process.env['ONETEAR_LONG'] === '1' ? 300 : 20;

/** The first attempt in a process of its own, as a worker is. */
const WORKER = `
const { runCommand } = await import(process.env.RUN_COMMAND);
const { deps, input } = JSON.parse(process.env.CASE);
deps.log = { debug() {}, info() {}, warn() {}, error() {} };
const attendance = { attempt: 1, scheduledAtMs: Date.now(), lastDetails: undefined, beat() {}, stopped: () => undefined, onStop: () => () => undefined };
process.stdout.write('ready\\n');
try { await runCommand(deps, input, attendance); process.stdout.write('passed\\n'); } catch (error) { process.stdout.write(error.message + '\\n'); }
process.exit(0);
`;

describe('death of the worker', () => {
  let build: ReturnType<typeof buildActivities>;
  let world: World;
  beforeAll(() => {
    build = buildActivities();
  }, 120_000);
  afterAll(() => build.remove());
  beforeEach(() => {
    world = makeWorld();
  });
  afterEach(() => world.close());

  const worker = (input: RunCommandInput): { readonly child: ChildProcess; said: () => string; readonly gone: Promise<void> } => {
    const { homeDir, storeDir, hostId, nodes } = world.deps;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', WORKER], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        ...process.env,
        RUN_COMMAND: build.url('activities/run-command.js'),
        CASE: JSON.stringify({ deps: { homeDir, storeDir, hostId, nodes }, input }),
      },
    });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const gone = new Promise<void>((resolve) => child.on('close', () => resolve()));
    return { child, said: () => said, gone };
  };
  const lines = (name: string): number => (existsSync(world.path(name)) ? world.read(name).split('\n').length - 1 : 0);

  it('kill -9 in the middle: the next attempt attaches, reads the real exit code and all output, and the command ran once', async () => {
    const input = commandInput(world, 'a', 'echo 1 >>runs; echo before; sleep 1; echo after; echo err >&2; exit 9');
    const { child, gone } = worker(input);
    await until(() => lines('runs') === 1, 20_000);
    child.kill('SIGKILL');
    await gone;
    const { result } = await settle(runCommand(world.deps, input, attend(2)));
    expect(result).toMatchObject({
      verdict: 'failed',
      exitCode: 9,
      tries: 1,
      stdout: { text: 'before\nafter\n' },
      stderr: { text: 'err\n' },
    });
    expect(world.read('runs')).toBe('1\n');
  }, 40_000);

  it(`kill -9 at ${ROUNDS} random moments, with a retry allowed: each try ran once, and the verdict is right`, async () => {
    let seed = 7;
    const draw = (max: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((seed / 2 ** 32) * max);
    };
    let killedInTime = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const input = commandInput(world, `s${round}`, `echo "$ONETEAR_TRY" >>runs-${round}; sleep 0.03; test "$ONETEAR_TRY" = 2`, {
        retry: { max: 1, delayMs: 1, backoff: 1, maxDelayMs: 1, when: ['exit_code'] },
      });
      const { child, said, gone } = worker(input);
      await until(() => said().startsWith('ready'), 20_000);
      await new Promise((resolve) => setTimeout(resolve, draw(80)));
      child.kill('SIGKILL');
      await gone;
      if (said() === 'ready\n') killedInTime++;
      let attempt = 2;
      let outcome = await settle(runCommand(world.deps, input, attend(attempt)));
      while (outcome.failure?.retryable === true) outcome = await settle(runCommand(world.deps, input, attend(++attempt)));
      expect(outcome.result, `round ${round}`).toMatchObject({ verdict: 'passed', tries: 2 });
      expect(world.read(`runs-${round}`), `round ${round}`).toBe('1\n2\n');
    }
    expect(killedInTime).toBeGreaterThan(ROUNDS / 10);
  }, 900_000);
});
