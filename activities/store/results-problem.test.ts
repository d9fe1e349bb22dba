import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { expect, test } from 'vitest';
import { resultsProblem } from './results-problem.ts';

function thrown(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

test('errors of the results folder are said with their place; those of other folders are not', () => {
  const missing = thrown(() => writeFileSync('/no-such/results/run.json', ''));
  expect(resultsProblem(missing, '/no-such/results')).toBe('ENOENT: no such file or directory at /no-such/results/run.json');
  expect(
    resultsProblem(
      thrown(() => readFileSync('/no-such/home/run.json')),
      '/no-such/results',
    ),
  ).toBeUndefined();
  expect(resultsProblem(new TypeError('x is not a function'), '/no-such/results')).toBeUndefined();
});

test('a full disk says no file', () => {
  const full = openSync('/dev/full', 'w');
  try {
    expect(
      resultsProblem(
        thrown(() => writeSync(full, 'x')),
        '/out',
      ),
    ).toBe('ENOSPC: no space left on device at /out');
  } finally {
    closeSync(full);
  }
});
