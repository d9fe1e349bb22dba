import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Value } from '../model/value.ts';
import { ExpressionError, checkExpression } from './cel.ts';
import { checkTemplate, hasMarks, namesInTemplate, namesInValue, parseTemplate, renderTemplate, renderText, renderValue } from './marks.ts';

const scope = { values: { n: 5, s: 'a}}b', l: [1, 'x'], m: { k: true }, z: null, d: 1.5, t: true } };

function failure(run: () => unknown): string {
  try {
    return `no error: ${JSON.stringify(run())}`;
  } catch (error) {
    if (error instanceof ExpressionError) return `${error.code}: ${error.message}`;
    throw error;
  }
}

function outcomeOf<T>(run: () => T): T | ExpressionError {
  try {
    return run();
  } catch (error) {
    if (error instanceof ExpressionError) return error;
    throw error;
  }
}

describe('parseTemplate', () => {
  it('gives text and marks with their places', () => {
    expect(parseTemplate('a ${{ n }}${{s}} b')).toEqual([
      { kind: 'text', text: 'a ', offset: 0 },
      { kind: 'mark', expression: ' n ', offset: 5, start: 2, end: 10 },
      { kind: 'mark', expression: 's', offset: 13, start: 10, end: 16 },
      { kind: 'text', text: ' b', offset: 16 },
    ]);
    expect(parseTemplate('plain $X ${Y} {{ z }}')).toEqual([{ kind: 'text', text: 'plain $X ${Y} {{ z }}', offset: 0 }]);
    expect(parseTemplate('')).toEqual([]);
  });

  it.each([
    ['${{ "}}" }}', ' "}}" '],
    ["${{ '}}' }}", " '}}' "],
    ['${{ "\\"}}" }}', ' "\\"}}" '],
    ['${{ """a"}}""" }}', ' """a"}}""" '],
    ['${{ {"a": {"b": 1}} }}', ' {"a": {"b": 1}} '],
    ['${{ {"a": {"b": 1}}}}', ' {"a": {"b": 1}}'],
    ['${{ {} }}', ' {} '],
    ['${{ "${{" }}', ' "${{" '],
    ["${{ n // it's }}", " n // it's "],
  ])('finds the end of %s', (text, expression) => {
    expect(parseTemplate(text)).toMatchObject([{ kind: 'mark', expression }]);
  });

  it.each(['${{', '${{ n', '${{ n }', 'a ${{ "}} b', '${{ {"a": 1} '])('refuses %s, which does not end', (text) => {
    expect(hasMarks(text)).toBe(true);
    expect(failure(() => parseTemplate(text))).toContain('syntax: the mark ${{ has no closing }}');
  });

  it('loses nothing', () => {
    const piece = fc.constantFrom('${{', '}}', '"', "'", ' n ', '{', '}', '\\', '$', '//', '\n', 'x');
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 20 }).map((parts) => parts.join('')),
        (text) => {
          const outcome = outcomeOf(() => parseTemplate(text));
          const parts = outcome instanceof ExpressionError ? [] : outcome;
          const joined = parts.map((part) => (part.kind === 'text' ? part.text : text.slice(part.start, part.end))).join('');
          expect(joined).toBe(outcome instanceof ExpressionError ? '' : text);
          for (const part of parts) {
            const own = part.kind === 'text' ? part.text : part.expression;
            expect(text.slice(part.offset, part.offset + own.length)).toBe(own);
          }
        },
      ),
      { numRuns: 3_000 },
    );
  });
});

describe('renderTemplate', () => {
  it.each<[string, Value]>([
    ['${{ n }}', 5],
    ['  ${{ n + 1 }}\n', 6],
    ['${{ l }}', [1, 'x']],
    ['${{ m }}', { k: true }],
    ['${{ z }}', null],
    ['${{ s }}', 'a}}b'],
    ['n=${{ n }} d=${{ d }} t=${{ t }}', 'n=5 d=1.5 t=true'],
    ['${{ n }}${{ n }}', '55'],
    ['${{ l }} ${{ m }}', '[1,"x"] {"k":true}'],
    ['${{ "${{" }} n }}', '${{ n }}'],
    ['${{ raw("a b") }}', 'a b'],
    ['no marks $HOME', 'no marks $HOME'],
  ])('%s', (text, wanted) => {
    expect(renderTemplate(text, scope)).toEqual(wanted);
  });

  it('never reads a value as a template again', () => {
    expect(renderText('<${{ v }}>', { values: { v: '${{ secrets.PW }}' } })).toBe('<${{ secrets.PW }}>');
  });

  it('refuses null inside text and secrets everywhere', () => {
    expect(failure(() => renderTemplate('x ${{ z }}', scope))).toContain('value: the value is null, which has no text');
    expect(failure(() => renderText('${{ z }}', scope))).toContain('value: the value is null');
    expect(failure(() => renderText('${{ secrets.PW }}', scope))).toContain('secret: ');
    expect(failure(() => renderTemplate('x ${{ nope }}', scope))).toContain('unknown_name: unknown name "nope"');
  });
});

describe('renderValue', () => {
  it('renders texts at any depth, and no keys', () => {
    expect(renderValue({ '${{ n }}': ['${{ n }}', { a: 'x${{ n }}' }, 7, null, true] }, scope)).toEqual({
      '${{ n }}': [5, { a: 'x5' }, 7, null, true],
    });
  });

  it('has a limit of depth', () => {
    let deep: Value = 'x';
    for (let level = 0; level < 200; level++) deep = [deep];
    expect(failure(() => renderValue(deep, scope))).toContain('limit: ');
  });

  it('keeps a key __proto__ a key', () => {
    const rendered = renderValue(JSON.parse('{"__proto__": "${{ n }}"}') as Value, scope);
    expect(JSON.stringify(rendered)).toBe('{"__proto__":5}');
  });
});

describe('looking without rendering', () => {
  it('names in templates and values', () => {
    expect([...namesInTemplate('a ${{ n + m.x }} ${{ node("a") }}')].sort()).toEqual(['m', 'n', 'nodes']);
    expect([...namesInValue({ a: ['${{ x }}', 'y'], b: { c: '${{ z.q }}' } })].sort()).toEqual(['x', 'z']);
  });

  it('checks every mark and places the problem in the template', () => {
    const check = (expression: string): ReturnType<typeof checkExpression> => checkExpression(expression, new Set(['n']));
    expect(checkTemplate('a ${{ n }} b', check)).toBeUndefined();
    expect(checkTemplate('a ${{ n }} ${{ nope }}', check)).toMatchObject({ code: 'unknown_name', offset: 15, length: 4 });
    expect(checkTemplate('a ${{ n', check)).toMatchObject({ code: 'syntax', offset: 2, length: 3 });
  });
});
