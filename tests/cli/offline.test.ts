import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CliIo } from '../../client/cli/io.ts';
import { runCli } from '../../client/cli/run-cli.ts';
import { createPlayground, type Playground, root } from '../support/onetear.ts';

/** Verbs that need no server; the built program, an empty home. */

const SUITE = `name: demo
context:
  params: { mode: [sync, async] }
  env: { PGPORT: "5432" }
commands:
  - { name: show, cmd: 'echo \${{ params.mode }}', description: show it }
testcases:
  - { name: failover, tags: [slow], steps: [show] }
  - { name: plain, params: { mode: sync }, steps: [show] }
`;

let play: Playground;
beforeAll(() => {
  play = createPlayground();
  play.write('suite.yaml', SUITE);
  play.write('bad.yaml', SUITE.replace('description:', 'descriptoin:').replace('steps: [show] }\n', 'steps: [shwo] }\n'));
  play.write('later.yaml', `secrets: [TOKEN]\n${SUITE}`);
});
afterAll(() => play.close());

const run = (...args: string[]) => play.run(args, 20_000);

describe('mistakes of the command line', () => {
  test.each([
    [
      ['list', 'suite.yaml', '--cell', 'mode=zzz'],
      /^--cell: error USAGE_SELECTION: no testcase has mode="zzz"; the values of mode are "sync", "async"$/m,
    ],
    [['list', 'suite.yaml', '--param', 'mod=sync'], /^--param: error USAGE_PARAM: .*mod/m],
    [['start', 'suite.yaml', '--env', 'a b=1'], /"a b" cannot be the name of an environment variable/],
  ])('%j', async (args, message) => {
    const { code, stderr } = await run(...args);
    expect(stderr).toMatch(message);
    expect(code).toBe(4);
  });

  test.each(['USAGE_SELECTION', 'USAGE_PARAM', 'CLI_HOME_UNUSABLE'])('explain %s', async (word) => {
    expect(await run('explain', word)).toMatchObject({ code: 0, stdout: expect.stringContaining(word) });
  });

  test('a home that is a file is one line, and exit 4', async () => {
    const other = createPlayground({ ONETEAR_HOME: play.write('a-file', '') });
    other.write('suite.yaml', SUITE);
    for (const args of [['runs'], ['start', 'suite.yaml']]) {
      const { code, stderr } = await other.run(args, 20_000);
      expect(stderr).toMatch(/^error CLI_HOME_UNUSABLE: .*a-file.*\n {2}Make it writable.*\n$/);
      expect(code).toBe(4);
    }
    rmSync(join(other.dir, '..'), { recursive: true, force: true });
  });
});

describe('validate', () => {
  test('a valid suite is exit 0', async () => {
    const { code, stdout } = await run('validate', 'suite.yaml');
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'suite.yaml is valid: 2 testcases, 3 cells\n' });
  });

  test('mistakes are shown with place, frame and suggestion; stdout stays empty', async () => {
    const { code, stdout, stderr } = await run('validate', 'bad.yaml');
    expect(code).toBe(4);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^bad\.yaml:6:\d+: error SUITE_UNKNOWN_KEY: .*descriptoin/m);
    expect(stderr).toContain('description');
    expect(stderr).toMatch(/^> 6 \|/m);
  });

  test('--json is one document, whatever the outcome', async () => {
    const good = await run('validate', 'suite.yaml', '--json');
    expect(JSON.parse(good.stdout)).toEqual({ v: 1, valid: true, diagnostics: [] });
    const bad = await run('validate', 'bad.yaml', '--json');
    expect(bad.code).toBe(4);
    expect(JSON.parse(bad.stdout)).toMatchObject({
      v: 1,
      valid: false,
      diagnostics: [{ code: 'SUITE_UNKNOWN_KEY', file: 'bad.yaml', line: 6, message: expect.any(String) }],
    });
  });

  test('what only later versions run is valid, with a warning', async () => {
    play.write('cached.yaml', SUITE.replace('description: show it', 'cache: true'));
    const { code, stderr } = await run('validate', 'cached.yaml');
    expect(stderr).toMatch(/^cached\.yaml:6:\d+: warning SUITE_NOT_SUPPORTED: not supported yet: cache/m);
    expect(code).toBe(0);
    expect((await run('validate', 'later.yaml')).code).toBe(0);
  });

  test.each([
    ['no-such.yaml', /no-such\.yaml does not exist/],
    ['.', /is a folder, not a suite/],
    ['/dev/null', /is not a regular file/],
  ])('%s cannot be read', async (file, message) => {
    const { code, stderr } = await run('validate', file);
    expect(code).toBe(4);
    expect(stderr).toMatch(message);
  });

  test('bytes that are not UTF-8 are an error with their place', async () => {
    spawnSync('sh', ['-c', String.raw`printf 'name: a\ndescription: "x\377"\n' > "$1"`, 'sh', join(play.dir, 'bytes.yaml')]);
    const { code, stderr } = await run('validate', 'bytes.yaml');
    expect(code).toBe(4);
    expect(stderr).toMatch(/bytes\.yaml:2:16: not UTF-8/);
  });

  test('an include is confined to the folder of the suite, links resolved', async () => {
    mkdirSync(join(play.dir, 'confined'), { recursive: true });
    play.write('secret.yaml', 'commands: [{ name: x, cmd: "true" }]\n');
    symlinkSync(join(play.dir, 'secret.yaml'), join(play.dir, 'confined', 'link.yaml'));
    play.write('confined/suite.yaml', 'include: link.yaml\ntestcases: [{ name: t, steps: [x] }]\n');
    const { code, stderr } = await run('validate', 'confined/suite.yaml');
    expect(code).toBe(4);
    expect(stderr).toContain('link.yaml is outside the folder of the suite');
  });
});

describe('list and plan', () => {
  test('list prints cells, and JSON with file and line', async () => {
    expect((await run('list', 'suite.yaml')).stdout).toMatch(/^failover\[sync\]/m);
    const { stdout } = await run('list', 'suite.yaml', '--json');
    const document = JSON.parse(stdout);
    expect(document).toMatchObject({ v: 1, suite: 'demo', file: 'suite.yaml' });
    expect(document.testcases.map(({ id }: { id: string }) => id)).toEqual(['failover[sync]', 'failover[async]', 'plain']);
    expect(document.testcases[0]).toMatchObject({ name: 'failover', line: 8, tags: ['slow'], chaos: false, steps: 1, skip: null });
  });

  test.each([
    [['-k', 'async'], ['failover[async]']],
    [['-k', 'not failover'], ['plain']],
    [
      ['-m', 'slow'],
      ['failover[sync]', 'failover[async]'],
    ],
    [
      ['--cell', 'mode=sync'],
      ['failover[sync]', 'plain'],
    ],
    [['--shard', '2/2'], ['failover[async]']],
  ])('%j selects', async (args, ids) => {
    const { stdout } = await run('list', 'suite.yaml', '--json', ...args);
    expect(JSON.parse(stdout).testcases.map(({ id }: { id: string }) => id)).toEqual(ids);
  });

  test('nothing selected is exit 5', async () => {
    const { code, stderr } = await run('list', 'suite.yaml', '-k', 'nothing_like_this');
    expect(code).toBe(5);
    expect(stderr).toContain('no testcase is selected');
  });

  test('plan fills in what is known, is the same for the same seed, and explains a name', async () => {
    const first = await run('plan', 'suite.yaml', '--json', '--seed', '7');
    expect(JSON.parse(first.stdout)).toMatchObject({
      v: 1,
      suite: 'demo',
      seed: 7,
      nodes: expect.anything(),
      testcases: expect.any(Array),
    });
    expect(first.stdout).toContain("echo 'sync'");
    expect((await run('plan', 'suite.yaml', '--json', '--seed', '7')).stdout).toBe(first.stdout);
    const explained = await run('plan', 'suite.yaml', '--explain', 'PGPORT', '--env', 'PGPORT=6000');
    expect(explained.stdout).toContain('6000');
    expect(explained.stdout).toContain('--env');
    expect((await run('plan', 'suite.yaml', '--explain', 'NOTHING')).code).toBe(4);
  });
});

describe('usage errors are exit 4', () => {
  test.each([
    [['strat', 'suite.yaml'], /Did you mean start\?/],
    [['start', 'suite.yaml', '--outptu', 'json'], /Did you mean --output\?/],
    [['start', 'suite.yaml', '--output', 'xml'], /Allowed choices are live, plain, json, quiet/],
    [['start', 'suite.yaml', '--seed', '-1'], /whole number/],
    [['start', 'suite.yaml', '--env', 'NOVALUE'], /--env NAME=VALUE/],
    [['start'], /missing required argument 'suite'/],
    [['list', 'suite.yaml', '--shard', '3/2'], /1 ≤ I ≤ N/],
    [['list', 'suite.yaml', '-k', 'a and'], /-k/],
    [['show', 'nope'], /no run nope/],
    [['watch'], /there is no run yet/],
    [['recover'], /a run, or --all/],
    [['schedule', 'list', '--x'], /not supported yet: onetear schedule, see docs\/roadmap\.md/],
    [['exec', 'db', '--', 'ls'], /no suite.yaml in this folder|selector|no node, group or role is named "db"/],
    [['exec', 'db', '--suite', 'nope.yaml', '--', 'ls'], /nope.yaml does not exist/],
    [['exec', 'all'], /what is to be run stands behind --/],
    [['start', 'later.yaml'], /no value for secret TOKEN/],
    [['start', 'suite.yaml', '--soak', '1h'], /not supported yet: start --soak/],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await play.run(args, 20_000);
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^\s+at .*\.js:\d+/m);
  });

  test.each([
    [['start', 'bad.yaml', '--output', 'json']],
    [['start', 'suite.yaml', '--outptu', '--output=json']],
    [['start', 'no-such.yaml', '--output', 'json']],
  ])('%j gives one error event on stdout and text on stderr', async (args) => {
    const { code, stdout, stderr } = await play.run(args, 20_000);
    expect(code).toBe(4);
    expect(stderr).not.toBe('');
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      v: 1,
      type: 'error',
      seq: 1,
      exit: 4,
      ts: expect.any(String),
      message: expect.any(String),
      diagnostics: expect.any(Array),
    });
  });
});

describe('help in daily work', () => {
  const verbs =
    'start watch cancel rerun faults recover validate list plan schema init explain runs show report replay server worker doctor completion';

  test.each(verbs.split(' '))('%s --help has examples', async (verb) => {
    let stdout = '';
    const io: CliIo = {
      out: (text) => (stdout += text),
      err: () => undefined,
      env: {},
      cwd: play.dir,
      stdoutIsTty: false,
      stderrIsTty: false,
      size: () => ({ columns: 80, rows: 24 }),
    };
    expect(await runCli([verb, '--help'], io)).toBe(0);
    expect(stdout).toMatch(new RegExp(`Examples:\\n  \\$ onetear ${verb}`));
  });

  test('the program without a verb, and help on one', async () => {
    const bare = await run();
    expect({ code: bare.code, stdout: bare.stdout }).toEqual({ code: 4, stdout: '' });
    expect(bare.stderr).toContain('Examples:');
    expect((await run('help', 'start')).stdout).toContain('Ctrl-C detaches');
  });

  test('--version is the version and quick', async () => {
    const times: number[] = [];
    for (let index = 0; index < 3; index += 1) {
      const before = performance.now();
      const { code, stdout } = await run('--version');
      times.push(performance.now() - before);
      expect({ code, stdout }).toEqual({ code: 0, stdout: '0.1.0\n' });
    }
    // 70 ms on a quiet machine; the bound is for a busy one and still far below loading Temporal.
    expect(Math.min(...times)).toBeLessThan(400);
  });

  test('validate does not load Temporal; a verb that talks to it does', () => {
    const loads = (...args: string[]): boolean => {
      const options = { cwd: play.dir, env: { ...process.env, NODE_DEBUG: 'module,esm' }, encoding: 'utf8', maxBuffer: 1 << 28 } as const;
      return spawnSync(process.execPath, [join(root, 'dist/client/main.js'), ...args], options).stderr.includes('@temporalio');
    };
    expect(loads('validate', 'suite.yaml')).toBe(false);
    expect(loads('faults', '--library')).toBe(true);
  });

  test('explain knows every code that the command line can end with', async () => {
    const sources = spawnSync(
      'grep',
      ['-rhoE', "'(CLI_[A-Z_]+|SUITE_(UNREADABLE|NOT_UTF8|INVALID))'", join(root, 'client'), '--include=*.ts'],
      { encoding: 'utf8' },
    );
    const codes = [
      ...new Set(
        sources.stdout
          .trim()
          .split('\n')
          .map((code) => code.replaceAll("'", '')),
      ),
    ];
    expect(codes.length).toBeGreaterThan(10);
    const documented = readFileSync(join(root, 'docs/diagnostics.md'), 'utf8');
    expect(codes.filter((code) => !documented.includes(`### ${code}\n`))).toEqual([]);
    expect((await run('explain', 'cli_no_runs')).stdout).toMatch(/^### CLI_NO_RUNS/);
    const unknown = await run('explain', 'CLI_NO_RUN');
    expect(unknown.code).toBe(4);
    expect(unknown.stderr).toContain('Did you mean CLI_NO_RUNS?');
  });

  test('schema is JSON Schema', async () => {
    const { code, stdout } = await run('schema');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ $schema: expect.stringContaining('json-schema.org') });
  });

  test('init writes a valid suite, and never over another one', async () => {
    expect((await run('init', 'fresh')).code).toBe(0);
    expect((await run('validate', 'fresh/suite.yaml')).code).toBe(0);
    const again = await run('init', 'fresh');
    expect(again.code).toBe(4);
    expect(again.stderr).toContain('exists');
    expect((await run('init', 'fresh', '--force')).code).toBe(0);
  });

  test.each(['bash', 'zsh', 'fish'])('completion %s names the verbs and options', async (shell) => {
    const { code, stdout } = await run('completion', shell);
    expect(code).toBe(0);
    expect(stdout).toContain('validate');
    expect(stdout).toContain(shell === 'fish' ? '-l maxfail' : '--maxfail');
  });

  test('completion bash completes', async () => {
    const script = `${(await run('completion', 'bash')).stdout}\nCOMP_WORDS=(onetear val); COMP_CWORD=1; _onetear; echo "\${COMPREPLY[@]}"`;
    expect(spawnSync('bash', ['-c', script], { encoding: 'utf8' }).stdout.trim()).toBe('validate');
  });

  test('runs of an empty home', async () => {
    expect(JSON.parse((await run('runs', '--json')).stdout)).toEqual({ v: 1, runs: [] });
  });
});

test('a closed pipe is not an error', () => {
  const line = `node '${join(root, 'dist/client/main.js')}' schema | head -c 1 >/dev/null; exit \${PIPESTATUS[0]}`;
  const { status, stderr } = spawnSync('bash', ['-c', line], { cwd: play.dir, encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

test('a large document reaches a slow pipe whole', () => {
  const testcases = Array.from({ length: 3000 }, (_, index) => `  - { name: case_${index}, steps: [show] }`).join('\n');
  play.write('large.yaml', `commands: [{ name: show, cmd: "true" }]\ntestcases:\n${testcases}\n`);
  const line = `node '${join(root, 'dist/client/main.js')}' list large.yaml --json | { sleep 1; cat; }`;
  const { stdout } = spawnSync('bash', ['-c', line], { cwd: play.dir, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  expect(JSON.parse(stdout).testcases).toHaveLength(3000);
});
