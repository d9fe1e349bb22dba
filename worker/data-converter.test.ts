import { randomBytes } from 'node:crypto';
import { defaultPayloadConverter } from '@temporalio/common';
import type { Payload } from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import { COMPRESS_ABOVE_BYTES, compressionCodec } from './data-converter.ts';

function payload(value: unknown): Payload {
  return defaultPayloadConverter.toPayload<unknown>(value);
}

async function roundTrip(input: Payload): Promise<{ encoded: Payload; decoded: unknown }> {
  const [encoded] = (await compressionCodec.encode([input])) as [Payload];
  const [decoded] = (await compressionCodec.decode([encoded])) as [Payload];
  return { encoded, decoded: defaultPayloadConverter.fromPayload(decoded) };
}

describe('compressionCodec', () => {
  test('leaves small payloads readable for the Web UI', async () => {
    const input = payload({ text: 'a'.repeat(COMPRESS_ABOVE_BYTES - 100) });
    const { encoded, decoded } = await roundTrip(input);
    expect(encoded).toBe(input);
    expect(decoded).toEqual({ text: 'a'.repeat(COMPRESS_ABOVE_BYTES - 100) });
  });

  test('packs large ones, with their own encoding inside', async () => {
    const value = { text: 'ä€'.repeat(100_000) };
    const { encoded, decoded } = await roundTrip(payload(value));
    expect(encoded.data?.byteLength).toBeLessThan(10_000);
    expect(decoded).toEqual(value);
    const bytes = new Uint8Array(100_000).fill(7);
    expect((await roundTrip(payload(bytes))).decoded).toEqual(bytes);
  });

  test('leaves alone what does not get smaller, and what is packed already', async () => {
    const random = payload(randomBytes(40_000));
    expect((await compressionCodec.encode([random]))[0]).toBe(random);
    const [once] = await compressionCodec.encode([payload('b'.repeat(50_000))]);
    expect((await compressionCodec.encode([once as Payload]))[0]).toBe(once);
  });

  test('broken data is an error, not garbage', async () => {
    const [encoded] = (await compressionCodec.encode([payload('c'.repeat(50_000))])) as [Payload];
    const broken = { ...encoded, data: (encoded.data as Uint8Array).slice(0, 50) };
    await expect(compressionCodec.decode([broken])).rejects.toThrow('unexpected end of file');
  });
});
