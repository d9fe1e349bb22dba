import { describe, expect, test } from 'vitest';
import { CliError } from './cli/cli-error.ts';
import { newRunId, isRunId } from './cli/run-id.ts';
import { findRun } from './find-run.ts';

const RUNS = ['20261124-091532-rs7q2x', '20261124-091001-aa1111', '20261123-000000-bb2222'];

describe('findRun', () => {
  test.each([
    ['last', RUNS[0]],
    ['20261124-091001-aa1111', RUNS[1]],
    ['20261123', RUNS[2]],
    ['20261124-0915', RUNS[0]],
  ])('%s is %s', (text, run) => {
    expect(findRun(text, RUNS)).toBe(run);
  });

  test.each([
    ['20261124', 'CLI_AMBIGUOUS_RUN'],
    ['', 'CLI_UNKNOWN_RUN'],
    ['nothing', 'CLI_UNKNOWN_RUN'],
  ])('%j is refused with %s', (text, code) => {
    expect(() => findRun(text, RUNS)).toThrow(expect.objectContaining({ code, exit: 4 }));
  });

  test('last of no runs says how to start one', () => {
    expect(() => findRun('last', [])).toThrow(CliError);
  });
});

describe('newRunId', () => {
  test('sorts by time to the millisecond', () => {
    const ids = [0, 1, 35, 36, 999, 1000, 60_000].map((offset) => newRunId(1_790_000_000_000 + offset));
    expect(ids.map((id) => id.slice(0, 18)).toSorted()).toEqual(ids.map((id) => id.slice(0, 18)));
    expect(ids.every(isRunId)).toBe(true);
  });

  test('does not repeat within a millisecond', () => {
    const now = Date.now();
    const ids = new Set(Array.from({ length: 200 }, () => newRunId(now)));
    expect(ids.size).toBeGreaterThan(190);
  });
});
