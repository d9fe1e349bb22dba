import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { secureHome } from './secure-home.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'onetear-home-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));
const modeOf = (folder: string): number => statSync(folder).mode & 0o7777;
const open = (mode: number, ours: boolean): string => {
  const home = path.join(root, 'home');
  mkdirSync(home);
  chmodSync(home, mode);
  if (ours) writeFileSync(path.join(home, 'host-id'), '01234567\n');
  return home;
};

describe('secureHome', () => {
  it('makes a home that only its user can enter, whatever the umask', () => {
    const before = process.umask(0o000);
    try {
      secureHome(path.join(root, 'a', 'home'));
    } finally {
      process.umask(before);
    }
    expect(modeOf(path.join(root, 'a', 'home'))).toBe(0o700);
  });

  it('closes an open home of ours', () => {
    const home = open(0o755, true);
    secureHome(home);
    expect(modeOf(home)).toBe(0o700);
  });

  it.each([
    [0o755, false],
    [0o1777, true],
  ])('leaves %o as it is, ours: %s', (mode, ours) => {
    const home = open(mode, ours);
    secureHome(home);
    expect(modeOf(home)).toBe(mode);
  });
});
