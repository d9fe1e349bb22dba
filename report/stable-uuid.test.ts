import { expect, test } from 'vitest';
import { uuidOf } from './stable-uuid.ts';

test('the same parts give the same id, other parts or other cuts of them another', () => {
  expect(uuidOf('run', 'case', '1')).toBe(uuidOf('run', 'case', '1'));
  expect(uuidOf('run', 'case', '1')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/u);
  const ids = new Set<string>();
  for (let run = 0; run < 100; run++) for (let attempt = 0; attempt < 100; attempt++) ids.add(uuidOf(`run${run}`, 'case', String(attempt)));
  expect(ids.size).toBe(10_000);
  expect(uuidOf('ab', 'c')).not.toBe(uuidOf('a', 'bc'));
});
