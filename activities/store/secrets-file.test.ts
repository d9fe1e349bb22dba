import { describe, expect, test } from 'vitest';
import { parseSecretsFile, secretValueProblem } from './secrets-file.ts';

function valuesOf(text: string): unknown {
  const parsed = parseSecretsFile(text);
  return 'values' in parsed ? Object.fromEntries(parsed.values) : parsed;
}

describe('secrets file', () => {
  test('takes values as they stand, up to the end of the line', () => {
    expect(valuesOf('\uFEFF# comment\n\nA=one two = three # no comment\r\nexport B=x"y\'z\nC=\n  D=trailing \nA=last wins\n')).toEqual({
      A: 'last wins',
      B: `x"y'z`,
      C: '',
      D: 'trailing ',
    });
  });

  test('quotes as a whole: JSON in double ones, text in single ones', () => {
    expect(valuesOf(`A="two\\nlines \\u00fc"\nB='as "it" \\n is'\nC="`)).toEqual({ A: 'two\nlines ü', B: 'as "it" \\n is', C: '"' });
  });

  test.each([
    ['A=1\nno equals', 2],
    ['1A=x', 1],
    ['A="\\x"', 1],
  ])('%j: says the line and shows nothing of it', (text, line) => {
    const problem = valuesOf(text);
    expect(problem).toMatchObject({ line });
    expect(JSON.stringify(problem)).not.toMatch(/no equals|\\x/);
  });

  test('some values cannot be secrets', () => {
    expect(secretValueProblem('')).toBe('is empty');
    expect(secretValueProblem('abc')).toContain('shorter than 4');
    expect(secretValueProblem('  a  ')).toContain('shorter than 4');
    expect(secretValueProblem('a\0bcd')).toContain('NUL');
    expect(secretValueProblem('x'.repeat(70_000))).toContain('longer than 64 KiB');
    expect(secretValueProblem('abcd')).toBeUndefined();
  });
});
