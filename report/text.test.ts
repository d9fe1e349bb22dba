import { assert, integer, property, string } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { capStart, capText, printable, stripAnsi, utf8Bytes, wellFormed } from './text.ts';

describe('capText', () => {
  test('never longer than the limit, never a broken character', () => {
    assert(
      property(string({ unit: 'binary', maxLength: 400 }), integer({ min: 80, max: 300 }), (text, limit) => {
        const capped = capText(text, limit);
        expect(utf8Bytes(capped)).toBeLessThanOrEqual(limit);
        const bad = (of: string): number => of.split('\uFFFD').length;
        expect(bad(capped)).toBeLessThanOrEqual(bad(wellFormed(text)));
        expect(capText(capped, limit)).toBe(capped);
      }),
      { seed: 1 },
    );
  });

  test('keeps head and tail and says how much of the original is gone', () => {
    expect(capText(`${'a'.repeat(100)}${'z'.repeat(100)}`, 100, 1_000_000)).toMatch(/^a+\n… 9999\d\d bytes left out …\nz+$/u);
  });

  test('a short text comes back as it is, with lone surrogates replaced', () => {
    expect(capText('ok \ud800 é 😀')).toBe('ok \uFFFD é 😀');
  });
});

test('capStart keeps the beginning', () => {
  expect(capStart('é'.repeat(100), 11)).toBe('éééé…');
});

test('stripAnsi removes colours, cursor moves and titles', () => {
  expect(
    stripAnsi('\u001b[31mred\u001b[0m \u001b[2J\u001b]0;title\u0007x \u001b]8;;http://a\u001b\\link\u001b]8;;\u001b\\ \u009b1my'),
  ).toBe('red x link y');
});

test('printable leaves nothing that moves a cursor', () => {
  expect(printable('a\u001b[2J\u0000\u007f\u0085\u202Eb\tc\nd\r\ne\rf')).toBe('a␛[2J␀␡\uFFFD\uFFFDb\tc\nd\ne␍f');
});
