import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { checkSql, renderSql, sqlDialect } from './sql.ts';

const scope = { values: { params: { n: 5, name: "'; drop table t; --", none: null, list: [1, 2] } } };
const render = (text: string, dialect: 'postgres' | 'mysql' = 'postgres') => renderSql(text, scope, dialect);

describe('marks of a query', () => {
  it('become bind parameters that keep their types, whatever the value', () => {
    expect(render('select * from t where a = ${{ params.n }} and b = ${{ params.name }}')).toEqual({
      text: 'select * from t where a = $1 and b = $2',
      params: [5, "'; drop table t; --"],
    });
    expect(render('insert into t values (${{ params.none }}, ${{ params.list }})', 'mysql')).toEqual({
      text: 'insert into t values (?, ?)',
      params: [null, [1, 2]],
    });
  });

  it('are inserted as they are by raw()', () => {
    expect(render('create table t${{ raw(string(params.n)) }} (a int)')).toEqual({ text: 'create table t5 (a int)', params: [] });
  });

  it.each([
    ["select '${{ params.n }}'", 'inside quotes'],
    ["select 'it''s ${{ params.n }}'", 'inside quotes'],
    ["select e'a\\' ${{ params.n }}'", 'inside quotes'],
    ['select "${{ params.n }}"', 'inside quotes'],
    ['do $$ begin ${{ params.n }} end $$', 'inside quotes'],
    ['do $x$ $$ ${{ params.n }} $x$', 'inside quotes'],
    ['select 1 -- ${{ params.n }}', 'comment'],
    ['select /* /* */ ${{ params.n }} */ 1', 'comment'],
    ['select t_${{ params.n }}', 'part of a word'],
    ['select ${{ params.n }}_t', 'part of a word'],
    ['select ${{ params.n }} + $1', 'placeholders of its own'],
  ])('%s is refused', (text, why) => {
    expect(() => render(text)).toThrow(why);
    expect(checkSql(text, 'postgres')?.message).toContain(why);
  });

  it.each([
    "select 'it''s', ${{ params.n }}",
    "select E'\\'', ${{ params.n }}",
    "select 'a\\', ${{ params.n }}",
    "select $$ ' $$, ${{ params.n }}",
    "select 1 -- it's\n, ${{ params.n }}",
    "select /* ' */ ${{ params.n }}",
    'select ${{ params.n }}::int',
  ])('%s is fine', (text) => {
    expect(checkSql(text, 'postgres')).toBeUndefined();
    expect(render(text).params).toEqual([5]);
  });

  it('never enter the text: property', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        const { text, params } = renderSql('select ${{ params.v }}', { values: { params: { v: value } } }, 'postgres');
        expect(text).toBe('select $1');
        expect(params).toEqual([value]);
      }),
    );
  });
});

it('knows a database by its address', () => {
  expect(sqlDialect('postgres://u@h/db')).toBe('postgres');
  expect(sqlDialect('postgresql:///db')).toBe('postgres');
  expect(sqlDialect("host=/tmp dbname='x'")).toBe('postgres');
  expect(sqlDialect('mariadb://h/db')).toBe('mysql');
  expect(sqlDialect('oracle://h')).toBeUndefined();
});
