import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { textOutput } from '../nodes/job-output.ts';
import { cutText, EXCERPT_BYTES, wholeText } from './excerpt.ts';
import { scanOutput } from './scan-output.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHash } from 'node:crypto';

describe('excerpts', () => {
  it('are valid text of at most 8 KiB for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 3 * EXCERPT_BYTES }), (bytes) => {
        const buffer = Buffer.from(bytes);
        const text = wholeText(buffer) ?? cutText(buffer, buffer, buffer.length);
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(EXCERPT_BYTES);
        expect(Buffer.from(text).toString()).toBe(text);
      }),
      { numRuns: 200 },
    );
  });

  it('are the text itself when it fits', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 500 }), (text) => {
        expect(wholeText(Buffer.from(text))).toBe(text);
      }),
    );
  });
});

describe('scanOutput', () => {
  it('finds needles across pieces, counts lines and hashes the trimmed text, however the pieces fall', async () => {
    const store = mkdtempSync(join(tmpdir(), 'onetear-scan-'));
    try {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.constantFrom('ab', 'a', 'b', '\n', ' ', 'é', '\t'), { maxLength: 60 }),
          fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 5 }),
          fc.string({ unit: fc.constantFrom('a', 'b', '\n', 'é'), minLength: 1, maxLength: 4 }),
          async (words, sizes, needle) => {
            const text = words.join('');
            const bytes = Buffer.from(text);
            const output = {
              bytes: bytes.length,
              async *chunks() {
                for (let at = 0, turn = 0; at < bytes.length; turn++) {
                  const size = sizes[turn % sizes.length] as number;
                  yield bytes.subarray(at, at + size);
                  at += size;
                }
              },
            };
            const scan = await scanOutput(output, { needles: [needle], keepBytes: 1_000, hashTrimmed: true }, store);
            expect(scan.found.has(needle)).toBe(text.includes(needle));
            expect(scan.lines).toBe(text === '' ? 0 : text.split('\n').length - (text.endsWith('\n') ? 1 : 0));
            expect(scan.blank).toBe(text.trim() === '');
            expect(scan.text).toBe(text);
            expect(scan.trimmedSha256).toBe(createHash('sha256').update(text.trim()).digest('hex'));
          },
        ),
        { numRuns: 300 },
      );
    } finally {
      rmSync(store, { recursive: true, force: true });
    }
  });

  it('keeps no more text than it was asked to, and says so', async () => {
    const scan = await scanOutput(textOutput('0123456789'), { needles: ['789'], keepBytes: 4, hashTrimmed: false }, tmpdir());
    expect(scan).toMatchObject({ text: '0123', cut: true, bytes: 10 });
    expect(scan.found.has('789')).toBe(true);
  });
});
