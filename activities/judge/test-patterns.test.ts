import { describe, expect, it } from 'vitest';

import { testPatterns } from './test-patterns.ts';

const HANGS = '^(a+)+$';
const TEXT = `${'a'.repeat(40)}b\nstate running`;

describe('testPatterns', () => {
  it('tests with the flags of the language, again and again in the same threads', async () => {
    for (let round = 0; round < 5; round++) {
      const outcomes = await testPatterns(TEXT, ['^state r.*g$', '^running', '(']);
      expect(outcomes.map(({ outcome }) => outcome)).toEqual(['match', 'no_match', 'invalid']);
    }
  });

  it('gives up on what does not end, keeps what was decided before, and goes on with the next', async () => {
    const outcomes = await testPatterns(TEXT, ['running', HANGS, 'state'], 300);
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['match', 'slow', 'slow']);
    expect((await testPatterns(TEXT, ['state'])).map(({ outcome }) => outcome)).toEqual(['match']);
  });

  it('lets two run at a time; others wait for their turn without losing it', async () => {
    const all = await Promise.all([HANGS, HANGS, 'state', 'state'].map((pattern) => testPatterns(TEXT, [pattern], 300)));
    expect(all.map(([first]) => first?.outcome)).toEqual(['slow', 'slow', 'match', 'match']);
  });
});
