import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { extractFile } from './extract-file.ts';

/** One member of a tar archive: header, body, padding. */
function member(name: string, body: Buffer, type = '0'): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000755\0', 100);
  header.write(`${body.length.toString(8).padStart(11, '0')}\0`, 124);
  header.fill(' ', 148, 156);
  header.write(type, 156);
  header.write('ustar\0', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

const END = Buffer.alloc(1024);

async function extract(archive: Buffer, chunkBytes = 100, maxBytes = 10_000): Promise<string> {
  const chunks: Buffer[] = [];
  for (let at = 0; at < archive.length; at += chunkBytes) chunks.push(archive.subarray(at, at + chunkBytes));
  const got: Buffer[] = [];
  await extractFile(Readable.from(chunks), 'temporal', maxBytes, (chunk) => got.push(Buffer.from(chunk)));
  return Buffer.concat(got).toString();
}

describe('extractFile', () => {
  const text = 'x'.repeat(1300);
  const archive = Buffer.concat([
    member('LICENSE', Buffer.from('licence')),
    member('temporal', Buffer.alloc(0), '5'),
    member('./temporal', Buffer.from(text)),
    member('temporal', Buffer.from('a second one')),
    END,
  ]);

  test.each([1, 7, 512, 513, 100_000])('finds the first regular file of that name, in chunks of %i', async (chunkBytes) => {
    expect(await extract(archive, chunkBytes)).toBe(text);
  });

  test('never more than the limit', async () => {
    await expect(extract(archive, 512, 1299)).rejects.toThrow('more than 1299');
  });

  test('a cut archive is an error', async () => {
    await expect(extract(archive.subarray(0, 2000))).rejects.toThrow('cut off');
    await expect(extract(archive.subarray(0, 700))).rejects.toThrow('cut off');
  });

  test('other data, and an archive without the file, are errors', async () => {
    await expect(extract(Buffer.from('<html>'.repeat(200)))).rejects.toThrow('not a tar archive');
    await expect(extract(Buffer.concat([member('other', Buffer.from('x')), END]))).rejects.toThrow('holds no file');
    await expect(extract(Buffer.concat([member('temporal', Buffer.alloc(0), '2'), END]))).rejects.toThrow('holds no file');
  });
});
