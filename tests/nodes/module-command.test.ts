import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { typeScriptFlags } from '../../activities/module/module-command.ts';
import { runCommand } from '../../activities/run-command.ts';
import type { RunCommandInput } from '../../dsl/model/workflow-io.ts';
import { attend, commandInput, makeWorld, settle, shell, until, type World } from './support.ts';

let world: World;
beforeEach(() => {
  world = makeWorld();
});
afterEach(() => world.close());

/** Runs a module whose `execute(context)` has the given body. */
const run = (body: string, more: Partial<RunCommandInput> = {}, attendance = attend()) => {
  mkdirSync(world.path('checks'), { recursive: true });
  writeFileSync(
    world.path('checks/check.mjs'),
    `import { appendFileSync } from 'node:fs';\nexport default { async execute(context) { ${body} } };\n`,
  );
  const command = shell('', { run: 'module', file: 'checks/check.mjs', env: { A: 'a' } });
  const { cmd: _cmd, ...withoutCmd } = command;
  return settle(runCommand(world.deps, commandInput(world, 'm', '', { command: withoutCmd, ...more }), attendance));
};

describe('run: module', () => {
  it('gives the module its context and takes its result', async () => {
    const { result } = await run(
      `return { exit_code: 0, stdout: 'hello ' + context.params.who + '\\n', stderr: 'e', outputs: { answer: 42, env: process.env.A + context.env.A, node: context.node.name } };`,
      {
        expect: { contains: ['hello cluster'] },
        scope: { params: { who: 'cluster' }, node: { name: 'pg1' } },
        outputs: { length: 'stdout.size()' },
      },
    );
    expect(result).toMatchObject({
      verdict: 'passed',
      stdout: { text: 'hello cluster\n' },
      stderr: { text: 'e' },
      outputs: { answer: 42, env: 'aa', node: 'pg1', length: 14 },
    });
  });

  it('takes what was printed when nothing is returned, and keeps it beside what is', async () => {
    expect((await run(`console.log('printed');`)).result).toMatchObject({ verdict: 'passed', stdout: { text: 'printed\n' } });
    world.close();
    world = makeWorld();
    expect((await run(`console.log('printed'); return { stdout: 'said' };`)).result).toMatchObject({
      stdout: { text: 'said' },
      stderr: { text: 'printed\n' },
    });
  });

  it.each([
    ['an exception', `throw new Error('boom-3317');`, 1, /Error: boom-3317\n\s+at /],
    ['its own exit code', `process.exit(7);`, 7, /^$/],
    ['a success that says nothing', `process.exit(0);`, 1, /before it gave a result/],
    ['a Result with another exit code', `return { exit_code: 3 };`, 3, /^$/],
    ['a Result that is none', `return 5;`, 1, /must return a Result/],
    ['a Result with unknown keys', `return { exitCode: 0 };`, 1, /unknown keys: exitCode/],
    ['a text that is none', `return { stdout: 5 };`, 1, /stdout of the Result must be text/],
    ['what cannot be JSON', `const a = {}; a.a = a; return { outputs: a };`, 1, /circular/],
  ])('fails with %s', async (_, body, exitCode, stderr) => {
    const { result } = await run(body);
    expect(result).toMatchObject({ verdict: 'failed', exitCode });
    expect(result?.stderr.text).toMatch(stderr);
  });

  it.each([
    ['an error', `throw new RangeError('no\\nway');`, /: RangeError: no \(check\.mjs:2\)/],
    ['a promise that never settles', `await new Promise(() => {});`, /: the module's promise never settled/],
    [
      'a late error',
      `setTimeout(() => { throw new TypeError('late'); }, 10); await new Promise((done) => setTimeout(done, 5000));`,
      /: TypeError: late \(check\.mjs:2\)/,
    ],
  ])('tells of %s in one line', async (_what, body, wanted) => {
    const { result } = await run(body);
    expect(result).toMatchObject({ verdict: 'failed', reason: expect.stringMatching(wanted) as unknown });
  });

  it.each([
    ['no default export', 'export const a = 1;', /^the default export of bad\.mjs has no execute/],
    ['a syntax error', 'export default {', /^cannot load the module: SyntaxError: /],
    ['a file that is not there', `import './gone.mjs';`, /^cannot load the module: Error \[ERR_MODULE_NOT_FOUND\]: .*gone\.mjs/],
  ])('takes %s for a mistake of the suite', async (_what, text, reason) => {
    writeFileSync(world.path('bad.mjs'), text);
    const { cmd: _cmd, ...command } = shell('', { run: 'module', file: 'bad.mjs' });
    const { result } = await settle(runCommand(world.deps, commandInput(world, 'm', '', { command }), attend()));
    expect(result).toMatchObject({ verdict: 'broken', reason: expect.stringMatching(reason) as unknown });
  });

  it('is found again after a crash, and runs once', async () => {
    const body = `appendFileSync('runs', 'x\\n'); await new Promise((r) => setTimeout(r, 800)); return { stdout: 'end', outputs: { n: 1 } };`;
    const first = attend(1);
    const working = run(body, {}, first);
    await until(() => world.read('runs') === 'x\n', 10_000);
    first.stop('detach');
    await working;
    expect((await run(body, {}, attend(2))).result).toMatchObject({ verdict: 'passed', stdout: { text: 'end' }, outputs: { n: 1 } });
    expect(world.read('runs')).toBe('x\n');
  });

  it('is ended at its timeout', async () => {
    const { result } = await run(`await new Promise((r) => setTimeout(r, 60_000));`, { timeoutMs: 1_000 });
    expect(result).toMatchObject({ verdict: 'failed', reason: 'timeout after 1s' });
  });

  it('stays inside the folder of the suite, links resolved', async () => {
    symlinkSync('/etc/hostname', world.path('link.mjs'));
    for (const [file, reason] of [
      ['../x.mjs', /cannot read the module|outside/],
      ['link.mjs', /outside the suite's folder/],
      ['none.mjs', /cannot read the module none.mjs: ENOENT/],
    ] as const) {
      const { result } = await settle(
        runCommand(world.deps, commandInput(world, file, '', { command: shell('', { run: 'module', file }) }), attend()),
      );
      expect(result).toMatchObject({ verdict: 'broken', reason: expect.stringMatching(reason) as unknown });
    }
  });

  it('runs TypeScript where Node can strip types, and says what is needed elsewhere', async () => {
    writeFileSync(
      world.path('t.ts'),
      `export default { async execute(context: { readonly env: unknown }): Promise<object> { return { stdout: typeof context.env }; } };\n`,
    );
    const { result } = await settle(
      runCommand(world.deps, commandInput(world, 't', '', { command: shell('', { run: 'module', file: 't.ts' }) }), attend()),
    );
    const expected =
      typeScriptFlags(process.versions.node) === undefined
        ? { verdict: 'broken', reason: expect.stringMatching(/TypeScript modules need Node 22\.6 or later/) as unknown }
        : { verdict: 'passed', stdout: { text: 'object' } };
    expect(result).toMatchObject(expected);
    expect(typeScriptFlags('20.20.2')).toBeUndefined();
    expect(typeScriptFlags('22.6.0')).toContain('--experimental-strip-types');
    expect(typeScriptFlags('24.1.0')).not.toContain('--experimental-strip-types');
  });

  it('finds what an earlier attempt started, although the file has gone since', async () => {
    const first = attend(1);
    const body = `appendFileSync('runs', 'x'); await new Promise((resolve) => setTimeout(resolve, 500)); return { stdout: 'done' };`;
    const working = run(body, { expect: { contains: ['done'] } }, first);
    await until(() => existsSync(world.path('runs')));
    first.stop('detach');
    await working;
    rmSync(world.path('checks/check.mjs'));
    const { cmd: _cmd, ...command } = shell('', { run: 'module', file: 'checks/check.mjs', env: { A: 'a' } });
    const input = commandInput(world, 'm', '', { command, expect: { contains: ['done'] } });
    expect((await settle(runCommand(world.deps, input, attend(2)))).result).toMatchObject({ verdict: 'passed', tries: 1 });
    expect(world.read('runs')).toBe('x');
  });
});
