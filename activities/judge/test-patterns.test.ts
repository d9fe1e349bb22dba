import { expect, it } from 'vitest';

import { testPatterns } from './test-patterns.ts';

it('uses its threads again and again, one after another and side by side', async () => {
  for (let i = 0; i < 6; i += 1) {
    expect(await testPatterns('acknowledged 5, lost 0', ['lost 0$', '^lost'], 5_000)).toEqual([
      { pattern: 'lost 0$', outcome: 'match' },
      { pattern: '^lost', outcome: 'no_match' },
    ]);
  }
  const many = await Promise.all(Array.from({ length: 7 }, () => testPatterns('x', ['x'], 5_000)));
  expect(many.flat().map(({ outcome }) => outcome)).toEqual(Array(7).fill('match'));
});

it('gives up on a pattern that takes for ever, and decides the next one', async () => {
  expect(await testPatterns(`${'a'.repeat(40)}b`, ['(a+)+$'], 300)).toEqual([{ pattern: '(a+)+$', outcome: 'slow' }]);
  expect(await testPatterns('a', ['a'], 5_000)).toEqual([{ pattern: 'a', outcome: 'match' }]);
});

it('says what is wrong with an invalid pattern', async () => {
  expect(await testPatterns('a', ['('], 5_000)).toMatchObject([{ outcome: 'invalid', message: expect.stringContaining('(') }]);
});
