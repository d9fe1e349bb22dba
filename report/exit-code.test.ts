import { expect, test } from 'vitest';
import { exitCode } from './exit-code.ts';

test.each([
  ['passed', 'clean', false, 0],
  ['skipped', 'clean', false, 0],
  ['failed', 'clean', false, 1],
  ['broken', 'clean', false, 12],
  ['void', 'clean', false, 12],
  ['broken', 'clean', true, 2],
  ['failed', 'clean', true, 2],
  ['passed', 'owed', false, 10],
  ['failed', 'owed', true, 10],
] as const)('%s, recovery %s, cancelled %s → %i', (verdict, recovery, cancelled, exit) => {
  expect(exitCode({ verdict, recovery, cancelled })).toBe(exit);
});
