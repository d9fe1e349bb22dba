import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createMasker } from './masker.ts';

const HOSTILE = `tök/Zq+8x=="'<&>$(x)\`\\ ünï 7`;
const masker = createMasker(
  new Map([
    ['TOKEN', HOSTILE],
    ['PIN', '12345678'],
    ['NAME', 'NAME'],
    ['MULTI', 'first line of it\nsecond line of it\n}'],
  ]),
);

function stream(pieces: readonly Buffer[]): string {
  const masks = masker.stream();
  return Buffer.concat([...pieces.map((piece) => masks.push(piece)), masks.end()]).toString('utf8');
}

function python(text: string): string {
  return JSON.stringify(text).replaceAll(/[^\0-\x7F]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const FORMS: readonly (readonly [string, string])[] = [
  ['raw', HOSTILE],
  ['JSON', JSON.stringify(HOSTILE)],
  ['JSON in JSON', JSON.stringify(JSON.stringify(HOSTILE))],
  ['JSON of Python', python(HOSTILE)],
  ['URL component', encodeURIComponent(HOSTILE)],
  ['form', new URLSearchParams({ q: HOSTILE }).toString()],
  ['XML', HOSTILE.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')],
  ['set -x', `+ x '${HOSTILE.replaceAll("'", String.raw`'\''`)}'`],
  ['hex', Buffer.from(HOSTILE).toString('hex')],
  ['base64', Buffer.from(HOSTILE).toString('base64')],
  ['base64 behind one byte', Buffer.from(`a${HOSTILE}b`).toString('base64')],
  ['base64 behind two bytes', Buffer.from(`ab${HOSTILE}bcd`).toString('base64')],
  ['base64url', Buffer.from(HOSTILE).toString('base64url')],
];

describe('masker', () => {
  test.each(FORMS)('masks %s, cut anywhere', (_, form) => {
    const whole = Buffer.from(`before ${form} behind`);
    const expected = masker.text(whole.toString());
    expect(expected).toContain('***TOKEN***');
    // Of base64 up to one character at each end belongs to the neighbours.
    expect(expected.length).toBeLessThan('before ***TOKEN*** behind'.length + 24);
    for (let at = 0; at <= whole.length; at++) expect(stream([whole.subarray(0, at), whole.subarray(at)])).toBe(expected);
    expect(stream([...whole].map((byte) => Buffer.from([byte])))).toBe(expected);
  });

  test('masks base64 that was wrapped anywhere', () => {
    const text = Buffer.from(`${'x'.repeat(40)}${HOSTILE}${'y'.repeat(10)}`).toString('base64');
    for (const columns of [10, 19, 64, 76]) {
      const lines = text.match(new RegExp(`.{1,${columns}}`, 'g')) as string[];
      expect(masker.text(lines.join('\n'))).toContain('***TOKEN***');
      expect(masker.text(lines.join('\r\n'))).not.toContain(Buffer.from(HOSTILE).toString('base64').slice(4, 9));
    }
  });

  test('masks a value of several lines as a whole and each of its lines', () => {
    expect(masker.text('a first line of it\nsecond line of it\n} b')).toBe('a ***MULTI*** b');
    expect(masker.text('> second line of it <\n}')).toBe('> ***MULTI*** <\n}');
  });

  test('masking twice changes nothing, also when a value is part of its own mask', () => {
    const once = masker.text(`${HOSTILE} NAME 12345678`);
    expect(once).toBe('***TOKEN*** ***NAME*** ***PIN***');
    expect(masker.text(once)).toBe(once);
  });

  test('overlapping values go together', () => {
    const two = createMasker(
      new Map([
        ['A', 'abcdef'],
        ['B', 'defghijkl'],
      ]),
    );
    expect(two.text('xabcdefghijklx')).toBe('x***B***x');
    const masks = two.stream();
    expect(Buffer.concat([masks.push(Buffer.from('xabcdef')), masks.push(Buffer.from('ghijklx')), masks.end()]).toString()).toBe(
      'x***B***x',
    );
  });

  test('values keep their shape; numbers and keys are masked too', () => {
    const clean = { a: [1, 'x', null, { b: true }] };
    expect(masker.value(clean)).toBe(clean);
    expect(masker.value({ [HOSTILE]: [12345678, { deep: `<${HOSTILE}>` }] })).toEqual({
      '***TOKEN***': ['***PIN***', { deep: '<***TOKEN***>' }],
    });
  });

  test('what a cut left of a secret goes from messages', () => {
    const half = HOSTILE.slice(0, 9);
    const rest = HOSTILE.slice(-9);
    for (const message of [`saw "a ${half} … ${rest} b"`, `saw ${half}…`, `…${rest} x`, `${'.'.repeat(300)}${half}`]) {
      const masked = masker.message(message);
      expect(masked).not.toContain(half);
      expect(masked).not.toContain(rest);
    }
    expect(masker.message('nothing … here')).toBe('nothing … here');
    expect(masker.message('***TOK… and …EN***')).toBe('***TOK… and …EN***');
  });

  test('any text that holds a secret in any pieces: no secret is left, the rest is as it was', () => {
    fc.assert(
      fc.property(
        fc
          .string({ minLength: 4, maxLength: 12 })
          .filter((secret) => !/[*…]/.test(secret) && secret.trim() === secret && Buffer.from(secret).toString() === secret),
        fc.array(fc.constantFrom('a', 'b ', '\n', '%', '\\', '"', 'é'), { maxLength: 10 }),
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 20 }),
        (secret, around, sizes) => {
          const masks = createMasker(new Map([['S', secret]])).stream();
          const text = Buffer.from(`${around.join('')}${secret}${around.toReversed().join('')}`);
          const out: Buffer[] = [];
          for (let at = 0, turn = 0; at < text.length; turn++) {
            const size = sizes[turn % sizes.length] as number;
            out.push(masks.push(text.subarray(at, at + size)));
            at += size;
          }
          const masked = Buffer.concat([...out, masks.end()]).toString();
          expect(masked).toContain('***S***');
          expect(masked.replaceAll('***S***', '')).not.toContain(secret);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('is quick over large output', () => {
    const masks = masker.stream();
    const piece = Buffer.from('2026-11-24 12:00:00 INFO node pg1 is primary, lag 0 bytes, nothing to see here\n'.repeat(13_000));
    const began = performance.now();
    for (let turn = 0; turn < 8; turn++) masks.push(piece);
    masks.end();
    expect(performance.now() - began).toBeLessThan(20_000);
    expect(masks.masked).toBe(false);
  });
});
