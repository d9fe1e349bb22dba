import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readHostId } from './host-id.ts';
import { homePaths, resolveHome } from './home-paths.ts';

describe('resolveHome', () => {
  test.each([
    [{ ONETEAR_HOME: '/o', XDG_STATE_HOME: '/x', HOME: '/h' }, '/o'],
    [{ XDG_STATE_HOME: '/x', HOME: '/h' }, '/x/onetear'],
    [{ ONETEAR_HOME: '', XDG_STATE_HOME: '', HOME: '/h' }, '/h/.local/state/onetear'],
    [{ XDG_STATE_HOME: 'relative', HOME: '/h' }, '/h/.local/state/onetear'],
  ])('%j → %s', (env, home) => {
    expect(resolveHome(env)).toBe(home);
  });

  test('a relative home counts from the current folder', () => {
    expect(resolveHome({ ONETEAR_HOME: 'o' })).toBe(path.resolve('o'));
    expect(homePaths('o').runsDir).toBe(path.resolve('o/runs'));
  });
});

describe('readHostId', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'onetear-host-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test('is made once and stays', () => {
    const file = path.join(folder, 'deep', 'host-id');
    const id = readHostId(file);
    expect(id).toMatch(/^[0-9a-f]{8}$/);
    expect(readHostId(file)).toBe(id);
    expect(readFileSync(file, 'utf8')).toBe(`${id}\n`);
    expect(readdirSync(path.dirname(file))).toEqual(['host-id']);
  });

  test('an empty file, left by a loss of power, is replaced; other text is an error', () => {
    const file = path.join(folder, 'host-id');
    writeFileSync(file, '');
    expect(readHostId(file)).toMatch(/^[0-9a-f]{8}$/);
    writeFileSync(file, 'my-host');
    expect(() => readHostId(file)).toThrow('holds no host id: "my-host"');
  });
});
