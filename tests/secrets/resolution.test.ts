import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ActivityDeps } from '../../activities/deps.ts';
import { recoverFault } from '../../activities/recover-fault.ts';
import { runCommand } from '../../activities/run-command.ts';
import { sampleCommand } from '../../activities/sample-command.ts';
import { guardActivities, maskError } from '../../activities/secrets/guard-activities.ts';
import { createMasker } from '../../activities/secrets/masker.ts';
import { secretValue, type SecretSource } from '../../activities/secrets/run-secrets.ts';
import { writeRunSecrets } from '../../activities/store/run-secrets-file.ts';
import { homePaths } from '../../activities/store/home-paths.ts';
import { stepFailed } from '../../activities/attendance.ts';
import { renderCommand } from '../../dsl/expand/render-command.ts';
import type { CommandSpec } from '../../dsl/model/plan.ts';
import type { NodeResult } from '../../dsl/model/result.ts';
import type { Activities, RunCommandInput, RunInfo } from '../../dsl/model/workflow-io.ts';
import { attend, commandInput, LOCAL, makeWorld, runInfo, settle, shell, type World } from '../nodes/support.ts';

/** Where a worker gets values from, what it does without them, and how they reach a command. Real processes, no server. */

const VALUE = 'hunter2/+"x"';
let world: World;
beforeEach(() => {
  world = makeWorld();
});
afterEach(() => world.close());

function depsWith(secrets?: SecretSource): ActivityDeps {
  return { ...world.deps, ...(secrets === undefined ? {} : { secrets }) };
}

function run(names: readonly string[] = ['TOKEN']): RunInfo {
  return { ...runInfo(world), secrets: names };
}

function input(step: string, command: RunCommandInput['command'], more: Partial<RunCommandInput> = {}): RunCommandInput {
  return { ...commandInput(world, step, 'true'), run: run(), command, ...more };
}

function leave(values: { readonly [name: string]: string }): void {
  writeRunSecrets(homePaths(world.deps.homeDir), {
    v: 1,
    run: world.run,
    workflowId: 'w',
    server: { queue: 'q', address: 'a', namespace: 'n' },
    values,
  });
}

const reference = shell('printf %s "${ONETEAR_SECRET_TOKEN}" > "$OUT"; echo "it is ${ONETEAR_SECRET_TOKEN}"', { secrets: ['TOKEN'] });

describe('a worker gets a secret', () => {
  test('from the file of the run first, then its own file, program, environment', async () => {
    const file = join(world.root, 'own');
    writeFileSync(file, 'TOKEN=from the file\n');
    const program = join(world.root, 'vault');
    writeFileSync(program, '#!/bin/sh\necho "from the program for $1"\n');
    chmodSync(program, 0o755);
    const env = { TOKEN: 'from the environment' };
    expect(await secretValue(depsWith({ env }), run(), 'TOKEN')).toBe('from the environment');
    expect(await secretValue(depsWith({ env, program }), run(), 'TOKEN')).toBe('from the program for TOKEN');
    expect(await secretValue(depsWith({ env, program, file }), run(), 'TOKEN')).toBe('from the file');
    leave({ TOKEN: 'left by start' });
    expect(await secretValue(depsWith({ env, program, file }), run(), 'TOKEN')).toBe('left by start');
  });

  test('or says why not, without what a program printed', async () => {
    const program = join(world.root, 'vault');
    writeFileSync(program, '#!/bin/sh\necho nearly-the-value; echo leak >&2; exit 7\n');
    chmodSync(program, 0o755);
    await expect(secretValue(depsWith(), run(), 'TOKEN')).rejects.toThrow(
      /TOKEN is not known on this worker: it is neither in the file of the run/,
    );
    const failing = secretValue(depsWith({ env: {}, program }), run(), 'TOKEN');
    await expect(failing).rejects.toThrow(/vault failed \(7\)/);
    await expect(failing).rejects.not.toThrow(/nearly|leak/);
    await expect(secretValue(depsWith({ env: { TOKEN: 'abc' } }), run(), 'TOKEN')).rejects.toThrow('shorter than 4');
  });

  test('and looks again for one that was missing', async () => {
    const deps = depsWith({ env: {} });
    await expect(secretValue(deps, run(), 'TOKEN')).rejects.toThrow('not known');
    leave({ TOKEN: VALUE });
    expect(await secretValue(deps, run(), 'TOKEN')).toBe(VALUE);
  });
});

describe('a command', () => {
  test('has the values, and what is told of it has not', async () => {
    leave({ TOKEN: VALUE });
    const spec = {
      run: 'shell',
      cmd: 'cat > "$OUT"; printf %s "$MIXED" >> "$OUT"; echo "$MIXED" "${{ secrets.TOKEN }}"',
      env: { MIXED: 'u:${{ secrets.TOKEN }}@${{ params.host }}', OUT: world.path('out') },
      stdin: '<${{ secrets.TOKEN }}>',
      options: {},
      inputs: {},
      shell: 'sh',
      sudo: false,
    } as unknown as CommandSpec;
    const command = renderCommand(spec, { values: { params: { host: 'db' } } });
    expect(command).toMatchObject({ env: { MIXED: 'u:***TOKEN***@db' }, stdin: '<***TOKEN***>', secrets: ['TOKEN'] });
    expect(command.secretTexts).toHaveLength(2);
    const { result } = await settle(runCommand(world.deps, input('has', command), attend()));
    expect(world.read('out')).toBe(`<${VALUE}>u:${VALUE}@db`);
    expect(result?.stdout.text).toBe('u:***TOKEN***@db ***TOKEN***\n');
  });

  test('leaves no file with the values on the node while it runs', async () => {
    leave({ TOKEN: VALUE });
    const command = shell('ls "${0%/*}"; grep -rlF "$T" "${0%/*}" || echo none', {
      env: { T: '***TOKEN***' },
      stdin: '***TOKEN***',
      secretTexts: [
        { path: ['env', 'T'], parts: [{ secret: 'TOKEN' }] },
        { path: ['stdin'], parts: [{ secret: 'TOKEN' }] },
      ],
    });
    const { result } = await settle(runCommand(world.deps, input('clean', command), attend()));
    expect(result?.stdout.text).toMatch(/none\n$/);
    expect(result?.stdout.text).not.toMatch(/^[ei]\./m);
    expect(result?.stdout.text).toMatch(/^s\./m);
  });

  test('does not run without its secret, nor without one that could not be masked', async () => {
    for (const command of [reference, shell(`touch ${world.path('ran')}`)]) {
      const { result } = await settle(runCommand(world.deps, input('without', command), attend()));
      expect(result).toMatchObject({
        verdict: 'broken',
        reason: expect.stringContaining('secret TOKEN is not known on this worker') as unknown,
      });
    }
    expect(existsSync(world.path('ran'))).toBe(false);
  });

  test('samples are masked, and what decides is the text as it was', async () => {
    leave({ TOKEN: VALUE });
    const { result } = await settle(
      sampleCommand(
        world.deps,
        {
          v: 1,
          run: run(),
          address: commandInput(world, 'sample', 'true').address,
          node: LOCAL,
          command: { ...reference, env: { OUT: '/dev/null' } },
          match: { contains: ['hunter2'], equals: 'no' },
          mode: 'until',
          windowMs: 50,
          everyMs: 50,
          timeoutMs: 5_000,
          scope: {},
          badVerdict: 'failed',
          journal: [],
        },
        attend(),
      ),
    );
    expect(result?.checks.map(({ matcher, ok }) => [matcher, ok])).toEqual(
      expect.arrayContaining([
        ['contains', true],
        ['equals', false],
      ]),
    );
    expect(JSON.stringify(result)).toContain('***TOKEN***');
    expect(JSON.stringify({ ...result, checks: result?.checks.map(({ actual }) => actual) })).not.toContain('hunter2');
  });
});

describe('an undo', () => {
  const recovery = (command: RunCommandInput['command']) => ({
    v: 1 as const,
    run: run(),
    address: { ...commandInput(world, 'cut', 'true').address, kind: 'chaos' as const },
    node: LOCAL,
    command,
    timeoutMs: 5_000,
    scope: {},
    journal: [],
  });

  test('runs without secrets that it does not use, and its output is withheld', async () => {
    const { result } = await settle(
      recoverFault(world.deps, recovery(shell(`echo "$HOME secret"; touch ${world.path('undone')}`)), attend()),
    );
    expect(existsSync(world.path('undone'))).toBe(true);
    expect(result).toMatchObject({ verdict: 'passed', stdout: { text: expect.stringMatching(/^\(output withheld/) as unknown } });
  });

  test('that needs one is tried again', async () => {
    const { failure, result } = await settle(recoverFault(world.deps, recovery(reference), attend()));
    expect(failure?.retryable).toBe(true);
    expect(result?.reason).toContain('secret TOKEN is not known');
  });
});

describe('the guard', () => {
  test('masks whatever an activity returns or throws', async () => {
    leave({ TOKEN: VALUE });
    const fail = new Error(`connect ${VALUE}`, { cause: new Error(VALUE) });
    const guarded = guardActivities(world.deps, {
      hello: async () => ({ node: VALUE }),
      runCommand: async () => {
        throw fail;
      },
      sampleCommand: async () => {
        throw stepFailed({ verdict: 'failed', reason: VALUE, outputs: { a: [VALUE] } } as unknown as NodeResult, 5);
      },
    } as unknown as Activities);
    expect(await guarded.hello({ run: run(), node: LOCAL })).toEqual({ node: '***TOKEN***' });
    await expect(guarded.runCommand({ run: run() } as never)).rejects.toBe(fail);
    expect([fail.message, (fail.cause as Error).message]).toEqual(['connect ***TOKEN***', '***TOKEN***']);
    expect(fail.stack).not.toContain(VALUE);
    const { failure, result } = await settle(guarded.sampleCommand({ run: run() } as never));
    expect(failure).toMatchObject({ type: 'StepFailed', retryable: true, delayMs: 5, message: '***TOKEN***' });
    expect(result).toMatchObject({ reason: '***TOKEN***', outputs: { a: ['***TOKEN***'] } });
    // Without secrets nothing is touched.
    expect(await guarded.hello({ run: runInfo(world), node: LOCAL })).toEqual({ node: VALUE });
  });

  test('bears errors that are none, and causes in circles', () => {
    const masker = createMasker(new Map([['TOKEN', VALUE]]));
    expect(maskError(VALUE, masker)).toBe('***TOKEN***');
    const circle = new Error(VALUE);
    circle.cause = circle;
    expect((maskError(circle, masker) as Error).message).toBe('***TOKEN***');
  });
});

test('the file of a run is for its owner alone, also in a folder that was not', () => {
  const dir = join(world.deps.homeDir, 'secrets');
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  chmodSync(dir, 0o755);
  leave({ TOKEN: VALUE });
  expect(readdirSync(dir)).toEqual([world.run]);
  expect(readFileSync(join(dir, world.run), 'utf8')).toContain('hunter2');
  rmSync(dir, { recursive: true });
  writeFileSync(dir, 'a file');
  expect(() => leave({ TOKEN: VALUE })).toThrow('EEXIST');
});
