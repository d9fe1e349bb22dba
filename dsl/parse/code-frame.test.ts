import { expect, test } from 'vitest';
import type { Diagnostic } from '../model/diagnostic.ts';
import { renderDiagnostic } from './code-frame.ts';

function render(text: string, line: number, column: number, length?: number, hint?: string): string {
  const base = { code: 'SUITE_X', severity: 'error', message: 'wrong', location: { file: 's.yaml', line, column } } as const;
  const diagnostic: Diagnostic = { ...base, ...(length === undefined ? {} : { length }), ...(hint === undefined ? {} : { hint }) };
  return renderDiagnostic(diagnostic, [{ file: 's.yaml', text }]);
}

test('two lines of context, the place underlined', () => {
  expect(render('one: 1\ntwo: 2\nthree: 3\nfour: 4\nfive: 5\nsix: 6\n', 3, 8, 1, 'fix it')).toMatchInlineSnapshot(`
    "s.yaml:3:8: error SUITE_X: wrong
      1 | one: 1
      2 | two: 2
    > 3 | three: 3
        |        ^
      4 | four: 4
      5 | five: 5
      hint: fix it"
  `);
});

test('first and last line, one caret without a length', () => {
  expect(render('a: b', 1, 4)).toMatchInlineSnapshot(`
    "s.yaml:1:4: error SUITE_X: wrong
    > 1 | a: b
        |    ^"
  `);
  expect(render('a: b\n', 2, 1)).toMatchInlineSnapshot(`
    "s.yaml:2:1: error SUITE_X: wrong
      1 | a: b
    > 2 |
        | ^"
  `);
});

test('what could steer a terminal is shown, not sent', () => {
  const out = render('a: "\u001b[31m\u009b\u202e\u0000\t\ud800"\nb: c', 1, 4, 10, 'see \u001b]0;x\u0007');
  expect(out).toMatchInlineSnapshot(`
    "s.yaml:1:4: error SUITE_X: wrong
    > 1 | a: "\\u001b[31m\\u009b\\u202e\\u0000  \\ud800"
        |    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      2 | b: c
      hint: see \\u001b]0;x\\u0007"
  `);
  // oxlint-disable-next-line no-control-regex -- the point of the test
  expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
});

test('wide characters move the caret by their width', () => {
  const [, place, caret] = render('主节点: 🍵 x', 1, 9, 1).split('\n');
  expect([place, caret]).toEqual(['> 1 | 主节点: 🍵 x', `    | ${' '.repeat(11)}^`]);
});

test('a long line is cut around the place', () => {
  const out = render(`key: ${'x'.repeat(5000)}!${'y'.repeat(5000)}`, 1, 5006, 1);
  expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThan(140);
  const [, place = '', caret = ''] = out.split('\n');
  expect(place[caret.indexOf('^')]).toBe('!');
});

test('a file that is not there has no frame', () => {
  const diagnostic: Diagnostic = { code: 'SUITE_X', severity: 'warning', message: 'm', location: { file: 'x', line: 1, column: 1 } };
  expect(renderDiagnostic(diagnostic, [])).toBe('x:1:1: warning SUITE_X: m');
});
