import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from './duration.ts';

describe('parseDuration', () => {
  it.each([
    [10, 10_000],
    [0, 0],
    [0.25, 250],
    ['500ms', 500],
    ['30s', 30_000],
    ['1m30s', 90_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['1d2h3m4s5ms', 93_784_005],
    ['1.5h', 5_400_000],
    [' 10 ', 10_000],
    ['0s', 0],
  ])('%j', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each([
    '',
    ' ',
    '5M',
    '30s1m',
    '1m1m',
    '-5s',
    '+5s',
    '5 s',
    '1e3',
    'ten',
    's',
    '1.s',
    '.5s',
    '5sec',
    '1:30',
    '٣s',
    '9'.repeat(60),
    `${'1'.repeat(100_000)}s`,
    'PT5S',
  ])('refuses %j', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY, 1e12])('refuses %d', (number) => {
    expect(parseDuration(number)).toBeUndefined();
  });

  it('reads back what formatDuration writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 * 365 * 86_400_000 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });
});

describe('formatDuration', () => {
  it.each([
    [0, '0s'],
    [350, '350ms'],
    [1_500, '1.5s'],
    [2_000, '2s'],
    [90_000, '1m30s'],
    [61_500, '1m1.5s'],
    [3_600_000, '1h'],
    [90_061_001, '1d1h1m1.001s'],
    [12.6, '13ms'],
    [-1_500, '-1.5s'],
  ])('%d', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});
