import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { NodeResult } from '../../dsl/model/result.ts';
import { fitted } from './fit-results.ts';

const result = (stdout: string, more: Partial<NodeResult> = {}): NodeResult => ({
  node: 'n',
  verdict: 'passed',
  exitCode: 0,
  timedOut: false,
  stdout: { text: stdout, bytes: stdout.length, truncated: false },
  stderr: { text: stdout, bytes: stdout.length, truncated: false },
  checks: [],
  outputs: {},
  durationMs: 1,
  startedAt: 0,
  finishedAt: 1,
  tries: 1,
  earlierTries: [],
  cached: false,
  ...more,
});

it('200 results of any text fit into one event, and short ones stay whole', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), fc.integer({ min: 1, max: 500 }), (piece, times) => {
      const results = fitted(Array.from({ length: 200 }, () => result(piece.repeat(times))));
      expect(JSON.stringify(results).length).toBeLessThan(1_300_000);
      for (const { stdout } of results) expect(stdout.truncated || stdout.text === piece.repeat(times)).toBe(true);
    }),
    { numRuns: 20 },
  );
  expect(fitted([result('hello', { outputs: { a: 1 }, fullStdout: 'hello' })])[0]).toEqual(
    result('hello', { outputs: { a: 1 }, fullStdout: 'hello' }),
  );
});

it('what a later expression needs and does not fit is broken, never shorter', () => {
  const [kept] = fitted(Array.from({ length: 200 }, () => result('x', { outputs: { long: 'y'.repeat(16_000) }, fullStdout: 'z' })));
  expect(kept).toMatchObject({ verdict: 'broken', outputs: {}, reason: expect.stringContaining('more than the') });
  expect(kept).not.toHaveProperty('fullStdout');
});
