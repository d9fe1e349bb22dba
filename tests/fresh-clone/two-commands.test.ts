import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { root } from '../support/onetear.ts';

/** What a stranger does: clone into an empty folder, with an empty home, and type the README's two commands. */
let base: string;
let clone: string;
let env: NodeJS.ProcessEnv;
const npm = (...args: string[]) => spawnSync('npm', args, { cwd: clone, env, encoding: 'utf8', timeout: 8 * 60_000, maxBuffer: 1 << 28 });

beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'onetear-fresh-'));
  clone = join(base, 'clone');
  const home = join(base, 'home');
  mkdirSync(home);
  const { ONETEAR_HOME: _home, ONETEAR_TEMPORAL_BIN: _bin, XDG_CACHE_HOME: _cache, XDG_STATE_HOME: _state, ...rest } = process.env;
  // npm's own settings (registry, certificates) are the machine's, not the user's: they stay.
  env = { ...rest, HOME: home, npm_config_userconfig: process.env['npm_config_userconfig'] ?? join(process.env['HOME'] ?? '', '.npmrc') };
  const cloned = spawnSync('git', ['clone', '--quiet', root, clone], { encoding: 'utf8' });
  expect(cloned.status, cloned.stderr).toBe(0);
});
afterAll(() => {
  spawnSync(process.execPath, [join(clone, 'dist', 'client', 'main.js'), 'server', 'stop'], { env, stdio: 'ignore', timeout: 60_000 });
  rmSync(base, { recursive: true, force: true });
});

it('npm run demo installs, builds, runs the quick start and prints where the report is', () => {
  const demo = npm('run', 'demo');
  expect(demo.status, demo.stderr + demo.stdout).toBe(0);
  const report = /^Report\s+(\S+)$/m.exec(demo.stdout)?.[1] ?? '';
  expect(existsSync(report), demo.stdout).toBe(true);
  expect(JSON.parse(readFileSync(join(clone, 'onetear-results', 'demo', 'run.json'), 'utf8'))).toMatchObject({ verdict: 'passed' });
  expect(demo.stdout).toMatch(/Web UI\s+http:\/\/127\.0\.0\.1:\d+/);
}, 600_000);

it('is quick the second time: at most 2 s before anything runs', () => {
  const times: number[] = [];
  for (let i = 0; i < 3; i += 1) {
    const began = Date.now();
    const again = spawnSync(process.execPath, ['scripts/setup.mjs'], { cwd: clone, env, encoding: 'utf8' });
    expect(again.status, again.stderr).toBe(0);
    times.push(Date.now() - began);
  }
  expect(Math.min(...times)).toBeLessThan(2000);
});

it('npm test sets itself up and ends with true totals', () => {
  const tested = npm('test', '--', '--only', 'unit');
  expect(tested.status, tested.stdout.slice(-3000)).toBe(0);
  expect(tested.stdout.trimEnd().split('\n').at(-1)).toMatch(/^[1-9]\d* passed, 0 failed$/);
}, 600_000);
