import { describe, expect, it } from 'vitest';
import { drawFraction, drawIndex } from './random.ts';

describe('drawFraction', () => {
  // P7: a recorded run is repeated by its seed, so these numbers never change.
  it.each<[number, string[], number]>([
    [0, [], 0.9453456403517153],
    [1, ['a'], 0.37931221411788973],
    [42, ['smoke', 'a1', 'kill', 'pick'], 0.07423968654096036],
    [2_147_483_647, ['主节点', '🍵', ''], 0.593043201885516],
    [123_456_789, ['case[sync-SIGKILL]', '2', 'step#2', 'pick/0'], 0.9034680610351167],
  ])('is the same for ever: seed %d, %j', (seed, parts, fraction) => {
    expect(drawFraction(seed, ...parts)).toBe(fraction);
  });

  it('tells places apart', () => {
    const places = [['ab', 'c'], ['a', 'bc'], ['abc'], ['abc', ''], ['', 'abc'], ['c', 'ab'], []];
    expect(new Set(places.map((parts) => drawFraction(7, ...parts))).size).toBe(places.length);
    expect(new Set([0, 1, 2, 2 ** 31 - 1, 2 ** 32, 2 ** 40, -1].map((seed) => drawFraction(seed, 'a'))).size).toBe(7);
  });

  it('is spread evenly over seeds, places and neighbours', () => {
    const count = 100_000;
    const draws = [
      Array.from({ length: count }, (_, index) => drawFraction(index, 'step', 'pick')),
      Array.from({ length: count }, (_, index) => drawFraction(1, `case-${index}`, 'pick')),
      Array.from({ length: count }, (_, index) => drawFraction(1, 'case', 'step', String(index))),
    ];
    for (const series of draws) {
      const buckets = Array.from({ length: 20 }, () => 0);
      for (const draw of series) buckets[Math.floor(draw * 20)] = (buckets[Math.floor(draw * 20)] as number) + 1;
      // Chi-squared with 19 degrees of freedom: 43.8 is passed once in a thousand.
      const chi = buckets.reduce((sum, bucket) => sum + (bucket - count / 20) ** 2 / (count / 20), 0);
      expect(chi).toBeLessThan(43.8);
      const mean = series.reduce((sum, draw) => sum + draw, 0) / count;
      const lag =
        series.slice(1).reduce((sum, draw, index) => sum + (draw - mean) * ((series[index] as number) - mean), 0) / count / (1 / 12);
      expect(Math.abs(lag)).toBeLessThan(0.015);
      expect(Math.min(...series.slice(0, 50_000))).toBeGreaterThanOrEqual(0);
      expect(Math.max(...series.slice(0, 50_000))).toBeLessThan(1);
    }
  });
});

describe('drawIndex', () => {
  it('is the same for ever', () => {
    expect(Array.from({ length: 12 }, (_, seed) => drawIndex(seed, 5, 'case', 'step'))).toEqual([4, 0, 0, 3, 3, 4, 3, 4, 0, 4, 3, 1]);
  });

  it('stays inside and reaches every index', () => {
    const seen = new Set(Array.from({ length: 1_000 }, (_, index) => drawIndex(index, 7, 'x')));
    expect([...seen].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(drawIndex(5, 1, 'x')).toBe(0);
  });

  it('draws of one place from fewer and fewer are independent', () => {
    const pairs = new Set(Array.from({ length: 2_000 }, (_, seed) => `${drawIndex(seed, 4, 'x')}${drawIndex(seed, 3, 'x')}`));
    expect(pairs.size).toBe(12);
  });

  it('has nothing to choose from nothing', () => {
    expect(() => drawIndex(1, 0, 'x')).toThrow(RangeError);
    expect(() => drawIndex(1, Number.NaN, 'x')).toThrow(RangeError);
  });
});
