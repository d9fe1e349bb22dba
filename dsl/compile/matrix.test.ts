import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ParamsDefinition } from '../model/suite.ts';
import type { Value, ValueMap } from '../model/value.ts';
import { matrixCells, mergeParams, scalarOf, valueText } from './matrix.ts';
import { createReporter } from './reporter.ts';

const location = { file: 'suite.yaml', line: 1, column: 1 };

function params(
  axes: { [name: string]: readonly Value[] },
  constants: ValueMap = {},
  rows: Pick<ParamsDefinition, 'include' | 'exclude'> = {},
): ParamsDefinition {
  return { axes: Object.entries(axes).map(([name, values]) => ({ name, values })), constants, ...rows };
}

function cells(context: ParamsDefinition, own?: ParamsDefinition, overrides: ValueMap = {}) {
  const reporter = createReporter('suite.yaml');
  const found = matrixCells('t', mergeParams(context, own, overrides), reporter, location);
  return {
    ids: found.map((cell) => cell.id),
    params: found.map((cell) => cell.params),
    problems: reporter.diagnostics().map((each) => each.message),
  };
}

const two = { mode: ['sync', 'async'], kill: ['SIGKILL', 'SIGTERM'] };

describe('matrixCells', () => {
  it('multiplies the axes in written order', () => {
    const { ids, params: values } = cells(params(two, { budget: 60 }));
    expect(ids).toEqual(['t[sync-SIGKILL]', 't[sync-SIGTERM]', 't[async-SIGKILL]', 't[async-SIGTERM]']);
    expect(values[3]).toEqual({ budget: 60, mode: 'async', kill: 'SIGTERM' });
  });

  it('has one cell of the plain name without axes', () => {
    expect(cells(params({}, { a: 1 }))).toMatchObject({ ids: ['t'], params: [{ a: 1 }] });
  });

  it('takes exclude rows away, whose keys may hold lists', () => {
    expect(cells(params(two, {}, { exclude: [{ mode: 'sync', kill: ['SIGKILL', 'SIGTERM'] }] })).ids).toEqual([
      't[async-SIGKILL]',
      't[async-SIGTERM]',
    ]);
    expect(cells(params(two, { c: 1 }, { exclude: [{ c: 2, mode: 'sync' }] })).ids).toHaveLength(4);
  });

  it('lets include rows add keys where they agree, or become a cell', () => {
    const { ids, params: values } = cells(
      params(
        two,
        {},
        {
          include: [
            { mode: 'sync', budget: 5 },
            { mode: 'sync', kill: 'SIGKILL', budget: 9 },
            { mode: 'quorum', kill: 'SIGKILL', budget: 7 },
          ],
        },
      ),
    );
    expect(ids).toEqual(['t[sync-SIGKILL]', 't[sync-SIGTERM]', 't[async-SIGKILL]', 't[async-SIGTERM]', 't[quorum-SIGKILL]']);
    expect(values.map((each) => each['budget'])).toEqual([9, 5, undefined, undefined, 7]);
  });

  it('includes after excluding: a row can bring an excluded cell back', () => {
    expect(cells(params(two, {}, { exclude: [{ mode: 'sync' }], include: [{ mode: 'sync', kill: 'SIGKILL' }] })).ids).toEqual([
      't[async-SIGKILL]',
      't[async-SIGTERM]',
      't[sync-SIGKILL]',
    ]);
  });

  it('refuses rows of unknown axes, empty axes and double ids', () => {
    expect(cells(params(two, {}, { exclude: [{ mod: 'sync' }] })).problems[0]).toContain('did you mean "mode"?');
    expect(cells(params(two, {}, { include: [{ budget: 1 }] })).problems[0]).toContain('a row must name an axis');
    expect(cells(params({ a: [] })).problems[0]).toContain('params.a is an empty list');
    expect(cells(params({ a: [1, '1'] })).problems[0]).toContain('two cells have the id t[1]');
    expect(cells(params({ a: ['x', 'x-y'], b: ['y-z', 'z'] })).problems[0]).toContain('t[x-y-z]');
    expect(cells(params(two, {}, { include: [{ mode: 'nope', x: 1 }] })).problems[0]).toContain('no effect');
  });

  it('lets a testcase turn axes into constants and constants into axes, and replace rows', () => {
    expect(cells(params(two), params({}, { mode: 'sync' })).ids).toEqual(['t[SIGKILL]', 't[SIGTERM]']);
    expect(cells(params({}, { a: 1 }), params({ a: [1, 2] })).ids).toEqual(['t[1]', 't[2]']);
    expect(cells(params(two), params({ mode: ['x'] })).ids).toEqual(['t[x-SIGKILL]', 't[x-SIGTERM]']);
    expect(cells(params(two, {}, { exclude: [{ mode: 'sync' }] }), params({}, {}, { exclude: [] })).ids).toHaveLength(4);
  });

  it('lets --param win over axes, constants and rows', () => {
    const rows = {
      include: [
        { mode: 'sync', budget: 5 },
        { mode: 'async', budget: 6 },
      ],
    };
    expect(cells(params(two, {}, rows), undefined, { mode: 'async' })).toMatchObject({
      ids: ['t[SIGKILL]', 't[SIGTERM]'],
      params: [
        { mode: 'async', kill: 'SIGKILL', budget: 6 },
        { mode: 'async', kill: 'SIGTERM', budget: 6 },
      ],
      problems: [],
    });
    expect(cells(params({}, { a: 1 }), undefined, { a: 2, other: 3 }).params).toEqual([{ a: 2 }]);
  });

  it('refuses a product nobody can mean', () => {
    const long = Array.from({ length: 1_000 }, (_, index) => index);
    expect(cells(params({ a: long, b: long })).problems[0]).toContain('1,000,000 cells');
  });
});

describe('valueText', () => {
  it('keeps plain scalars and gives others a readable, stable id', () => {
    expect(['sync', 5, 1.5, true, null, '主节点', 'a=b'].map((value) => valueText(value))).toEqual([
      'sync',
      '5',
      '1.5',
      'true',
      'null',
      '主节点',
      'a=b',
    ]);
    expect(valueText('a b/c')).toMatch(/^a_b_c~[0-9a-f]{8}$/);
    expect(valueText({ name: 'big', cpus: 4 })).toMatch(/^big~[0-9a-f]{8}$/);
    expect(valueText('x'.repeat(200))).toMatch(/^x{24}~[0-9a-f]{8}$/);
  });

  it('differs for different values and never holds what breaks a terminal or a path', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        expect(valueText(a)).toMatch(/^[\p{L}\p{N}._+@%=:,~-]+$/u);
        expect(valueText(a) === valueText(b)).toBe(a === b);
      }),
    );
  });
});

describe('scalarOf', () => {
  it('reads a plain scalar as YAML does', () => {
    const read = [
      '5',
      '-1.5',
      '1e3',
      'true',
      'false',
      'null',
      '~',
      '',
      'yes',
      '0x10',
      '007',
      '1.2.3',
      '"5"',
      "'it''s'",
      '99999999999999999999',
      '.5',
    ].map(scalarOf);
    expect(read).toEqual([5, -1.5, 1_000, true, false, null, null, '', 'yes', 16, 7, '1.2.3', '5', "it's", '99999999999999999999', 0.5]);
  });
});
