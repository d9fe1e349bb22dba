import { describe, expect, it } from 'vitest';
import { testcase, suite } from '../../tests/goldens/suite-builder.ts';
import { compileSuite } from './compile-suite.ts';
import type { Selection } from './select-cells.ts';

const cases = [
  testcase('primary_crash', [], { tags: ['failover', 'slow'] }),
  testcase('primary_stop', [], { tags: ['failover'] }),
  testcase('standby_crash', [], { tags: ['slow'], params: { axes: [{ name: 'mode', values: ['sync', 2] }], constants: {} } }),
];

function select(selection: Selection) {
  const { plan, diagnostics } = compileSuite(suite({ testcases: cases }), { seed: 1, digest: 'd', execute: false, selection });
  return plan
    ? plan.cells.map((cell) => cell.id)
    : diagnostics.map((each) => `${each.location.file}:${each.location.column} ${each.code} ${each.message}`);
}

describe('selection', () => {
  it('-k looks for substrings of the id in either case', () => {
    expect(select({ keyword: 'crash and not standby' })).toEqual(['primary_crash']);
    expect(select({ keyword: 'CRASH' })).toEqual(['primary_crash', 'standby_crash[sync]', 'standby_crash[2]']);
    expect(select({ keyword: 'not (crash or stop)' })).toEqual([]);
    expect(select({ keyword: 'stop or standby and sync' })).toEqual(['primary_stop', 'standby_crash[sync]']);
    expect(select({ keyword: 'not not stop' })).toEqual(['primary_stop']);
    expect(select({ keyword: '"standby_crash[2]"' })).toEqual(['standby_crash[2]']);
  });

  it('-m looks at whole tags', () => {
    expect(select({ tags: 'failover and not slow' })).toEqual(['primary_stop']);
    expect(select({ tags: 'fail' })).toEqual([]);
  });

  it('--cell, --lf and --shard take parts', () => {
    expect(select({ cells: { mode: '2' } })).toEqual(['standby_crash[2]']);
    expect(select({ ids: ['primary_stop', 'gone'] })).toEqual(['primary_stop']);
    expect([1, 2, 3].map((index) => select({ shard: { index, count: 3 } }))).toEqual([
      ['primary_crash', 'standby_crash[2]'],
      ['primary_stop'],
      ['standby_crash[sync]'],
    ]);
  });

  it('takes only testcases with a selected cell into the plan', () => {
    const { plan } = compileSuite(suite({ testcases: cases }), { seed: 1, digest: 'd', execute: false, selection: { keyword: 'stop' } });
    expect(plan!.testcases.map((each) => each.name)).toEqual(['primary_stop']);
  });

  it.each([
    ['', 'ends too early'],
    ['a and', 'ends too early'],
    ['and a', 'a term is missing before "and"'],
    ['a b', '"and" or "or" is missing before "b"'],
    ['(a', 'a ) is missing'],
    ['a)', 'there is no ( before this'],
    ['"a', 'the quote is not closed'],
    ['('.repeat(200) + 'a', 'nested'],
  ])('reports %j as a mistake of the option', (keyword, message) => {
    expect(select({ keyword })[0]).toMatch(/^-k:\d+ USAGE_SELECTION /);
    expect(select({ keyword })[0]).toContain(message);
  });

  it('reports unknown params and shards that are none', () => {
    expect(select({ cells: { mod: 'x' } })[0]).toContain('--cell:1 USAGE_SELECTION no testcase has a param "mod"');
    expect(select({ shard: { index: 4, count: 3 } })[0]).toContain('--shard');
  });

  it('refuses --param of a name that no testcase has', () => {
    const { diagnostics } = compileSuite(suite({ testcases: cases }), {
      seed: 1,
      digest: 'd',
      execute: false,
      paramOverrides: { moed: '1' },
    });
    expect(diagnostics).toMatchObject([{ code: 'USAGE_PARAM', message: 'no param is named "moed", did you mean "mode"?' }]);
  });
});
