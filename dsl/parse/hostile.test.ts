import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { renderDiagnostic } from './code-frame.ts';
import { parseSuite } from './parse-suite.ts';

const MIB = 1024 * 1024;
/** Far beyond what any of these texts takes alone on a slow machine; the point is that none runs away. */
const LIMIT_MS = 8000;

/** Never throws, ends in time, and says something that can be shown: a suite or an error, not both, not neither. */
function check(text: string): number {
  const started = performance.now();
  const { suite, diagnostics, sources } = parseSuite({ file: 's.yaml', text }, () => ({ problem: 'no such file' }));
  const ms = performance.now() - started;
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  expect(errors.length > 0).toBe(suite === undefined);
  expect(errors.length).toBeLessThanOrEqual(21);
  for (const diagnostic of diagnostics) {
    expect(diagnostic.code).toMatch(/^SUITE_[A-Z_]+$/);
    expect(diagnostic.location.line).toBeGreaterThan(0);
    expect(diagnostic.location.column).toBeGreaterThan(0);
    const shown = renderDiagnostic(diagnostic, sources);
    expect(shown.length).toBeLessThan(5000);
    // oxlint-disable-next-line no-control-regex -- the point of the test
    expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  }
  return ms;
}

function fill(piece: string, length = 8 * MIB - 200): string {
  return piece.repeat(Math.floor(length / piece.length));
}

test.each([
  ['a file of 50 MiB', () => fill('- a\n', 50 * MIB)],
  ['brackets', () => fill('[')],
  ['braces', () => fill('{')],
  ['dashes', () => fill('- ')],
  ['question marks', () => fill('? ', 200_000)],
  ['deep maps in lines', () => Array.from({ length: 3000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n')],
  ['pairs in lists', () => fill('[a: ', 200_000)],
  ['anchors', () => fill('&a ', 200_000)],
  ['an open quote at the end', () => `${fill('  - name: x\n', 2 * MIB)}  - "`],
  ['one key two hundred thousand times', () => fill('a: b\n', MIB)],
  ['many unknown keys', () => Array.from({ length: 100_000 }, (_, i) => `k${i}: v`).join('\n')],
  ['many bad steps', () => `testcases:\n${fill('  - { name: a, steps: [{ usee: b }] }\n', MIB)}`],
  ['many odd parts in a large file', () => `commands:\n${fill('  - ? a\n    : b\n', 2 * MIB)}`],
  ['many duplicate names', () => `commands:\n${fill('  - { name: x, cmd: y }\n', 2 * MIB)}`],
  ['lines of one text', () => `name: a\n${fill(' b\n', 2 * MIB)}`],
  ['a block text of many lines', () => `name: |\n${fill(' b\n', 2 * MIB)}`],
  ['quotes', () => fill("'", 2 * MIB)],
  ['blanks in a text', () => `name: a${' '.repeat(2 * MIB)}b`],
  ['empty maps', () => `tags: [${fill('{},', 2 * MIB)}]`],
])('%s', (_, make) => {
  expect(check(make())).toBeLessThan(LIMIT_MS);
});

test('the same deep text again and again does not bring the process down', () => {
  const text = `a: ${'['.repeat(100_000)}`;
  const tagged = `a: !x ${'['.repeat(100_000)}`;
  for (let i = 0; i < 15; i++) {
    expect(check(text) + check(tagged)).toBeLessThan(LIMIT_MS);
  }
});

const valid = [
  readFileSync(new URL('../../examples/quickstart/suite.yaml', import.meta.url), 'utf8'),
  readFileSync(new URL('../../examples/postgres-repmgr/suite.yaml', import.meta.url), 'utf8'),
  readFileSync(new URL('../../examples/seed/suite.yaml', import.meta.url), 'utf8'),
];

const PIECES = [
  '',
  ' ',
  '\n',
  '  ',
  '- ',
  ': ',
  ':',
  '#',
  '"',
  "'",
  '[',
  ']',
  '{',
  '}',
  ',',
  '|',
  '>',
  '&a ',
  '*a',
  '!x ',
  '${{ x }}',
  '${{',
  '}}',
  '\t',
  '\r\n',
  '\u0000',
  '\u202e',
  '\ud800',
  '__proto__',
  'constructor: ',
  '<<: ',
  'null',
  '-1',
  '1e999',
  'true',
  '[[[[[[',
  'name: x\n',
  'steps: []\n',
  'use: y\n',
  'expect: ',
  'retry: ',
];

test('a valid suite, damaged anywhere', () => {
  const edit = fc.tuple(fc.nat(), fc.nat(30), fc.constantFrom(...PIECES));
  fc.assert(
    fc.property(fc.constantFrom(...valid), fc.array(edit, { minLength: 1, maxLength: 5 }), (text, edits) => {
      let damaged = text;
      for (const [at, cut, piece] of edits) {
        const place = at % (damaged.length + 1);
        damaged = damaged.slice(0, place) + piece + damaged.slice(place + cut);
      }
      expect(check(damaged)).toBeLessThan(LIMIT_MS);
    }),
    { numRuns: 700 },
  );
  expect(Object.keys(Object.prototype)).toEqual([]);
});

test('lines of a valid suite in any order and indentation', () => {
  const lines = valid.flatMap((text) => text.split('\n').map((line) => line.trim()));
  const line = fc.tuple(fc.nat(6), fc.constantFrom(...lines)).map(([indent, text]) => ' '.repeat(indent * 2) + text);
  fc.assert(
    fc.property(fc.array(line, { maxLength: 25 }), (all) => {
      expect(check(all.join('\n'))).toBeLessThan(LIMIT_MS);
    }),
    { numRuns: 700 },
  );
});

test('any value at any key never throws', () => {
  const keys =
    'name context nodes env params commands chaos testcases steps use cmd run expect contains json rows stderr hooks before after on_fail retry max timeout within every wait hold pause sleep nemesis parallel recover verify trigger assert eventually always never expr from until include roles probes soak schedule strategy requires secrets cache bind locks needs if with pick'.split(
      ' ',
    );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', maxDepth: 6 },
      fc.constantFrom(null, true, 0, 1, -1, 1.5, '', 'a', '1s', '${{ x }}', 'a b', 'any', 'shell', 'sql'),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...keys), tie('value'), { maxKeys: 5 }),
    ),
  }));
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...keys), value, { maxKeys: 6 }), (suite) => {
      expect(check(JSON.stringify(suite))).toBeLessThan(LIMIT_MS);
    }),
    { numRuns: 1500 },
  );
});

test('keys of prototypes are refused wherever they stand, and never change an object', () => {
  const place = fc.constantFrom(
    (key: string) => `${key}: { polluted: 1 }`,
    (key: string) => `context: { params: { a: { ${key}: { polluted: 1 } } } }`,
    (key: string) => `context:\n  params:\n    a: !!map\n      ${key}:\n        polluted: 1\n`,
    (key: string) => `commands:\n  - { name: x, cmd: y, inputs: { a: [{ ${key}: { polluted: 1 } }] } }`,
  );
  fc.assert(
    fc.property(place, fc.constantFrom('__proto__', '"__proto__"', "'constructor'", 'prototype', '"\\x5f_proto__"'), (make, key) => {
      const { diagnostics } = parseSuite({ file: 's.yaml', text: make(key) }, () => ({ problem: '' }));
      expect(diagnostics.map(({ code }) => code)).toContain('SUITE_FORBIDDEN_KEY');
      expect(({} as { polluted?: number }).polluted).toBeUndefined();
    }),
    { numRuns: 60 },
  );
});
