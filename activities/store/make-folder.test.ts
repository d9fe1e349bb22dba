import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeFolder } from './make-folder.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(path.join(tmpdir(), 'onetear-folder-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('makes all levels, and is content with what is there', () => {
  const folder = path.join(root, 'a', 'b', 'c');
  makeFolder(folder);
  makeFolder(folder);
  expect(statSync(folder).isDirectory()).toBe(true);
});

test.runIf(existsSync('/proc/self'))('ends below a folder that takes no entries', () => {
  expect(() => makeFolder('/proc/onetear-no/results')).toThrow(/ENOENT|EACCES|EPERM/);
});

test('a file in the way is an error', () => {
  writeFileSync(path.join(root, 'file'), '');
  expect(() => makeFolder(path.join(root, 'file'))).toThrow('EEXIST');
  expect(() => makeFolder(path.join(root, 'file', 'below'))).toThrow(/ENOTDIR/);
});
