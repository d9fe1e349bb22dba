import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultPayloadConverter, type Payload, type SerializationContext } from '@temporalio/common';
import { afterAll, describe, expect, test } from 'vitest';
import { encodeFailures } from './create-worker.ts';
import { dataConverterFor } from './data-converter.ts';
import { encryptionCodec, noKeyCodec } from './encryption-codec.ts';
import { type Encryption, fingerprintsOf, keysProblem, readEncryption } from './encryption-keys.ts';

const dir = mkdtempSync(join(tmpdir(), 'onetear-keys-'));
afterAll(() => rmSync(dir, { recursive: true }));

const one = randomBytes(32).toString('base64');
const two = randomBytes(32).toString('base64');

function keysFile(text: string): string {
  const file = join(dir, randomBytes(4).toString('hex'));
  writeFileSync(file, text);
  return file;
}

function encryption(env: { readonly [name: string]: string }): Encryption {
  return readEncryption(env) as Encryption;
}

function workflow(workflowId: string): SerializationContext {
  return { type: 'workflow', namespace: 'n', workflowId };
}

const payload = (value: unknown): Payload => defaultPayloadConverter.toPayload<unknown>(value);
const valueOf = (given: Payload | undefined): unknown => defaultPayloadConverter.fromPayload(given as Payload);

describe('encryption keys', () => {
  test('none, one from the environment, several from a file', () => {
    expect(readEncryption({})).toBeUndefined();
    expect(readEncryption({ ONETEAR_ENCRYPTION_KEY: '' })).toBeUndefined();
    const file = keysFile(`# newest first\n2026-11=${one}\n\n2026-05=${two}\n`);
    const both = encryption({ ONETEAR_ENCRYPTION_KEYS_FILE: file, ONETEAR_ENCRYPTION: 'required' });
    expect(both.keys.map(({ id }) => id)).toEqual(['2026-11', '2026-05']);
    expect(both.required).toBe(true);
    const single = encryption({ ONETEAR_ENCRYPTION_KEY: one });
    expect(single.keys[0].id).toMatch(/^key-[0-9a-f]{8}$/);
    expect(fingerprintsOf(single)[0]).toBe(fingerprintsOf(both)[0]);
    expect(encryption({ ONETEAR_ENCRYPTION_KEY: two, ONETEAR_ENCRYPTION_KEYS_FILE: file }).keys).toHaveLength(3);
  });

  test.each([
    [{ ONETEAR_ENCRYPTION_KEY: 'c2hvcnQtc2VjcmV0' }, 'not the base64 of 32 bytes'],
    [{ ONETEAR_ENCRYPTION_KEYS_FILE: 'keys' }, 'must be an absolute path'],
    [{ ONETEAR_ENCRYPTION_KEYS_FILE: '/no/such/file' }, 'cannot be read (ENOENT)'],
    [{ ONETEAR_ENCRYPTION_KEYS_FILE: keysFile('a=c2hvcnQtc2VjcmV0') }, ':1: is not id=key'],
    [{ ONETEAR_ENCRYPTION_KEYS_FILE: keysFile('# none\n') }, 'holds no encryption key'],
    [{ ONETEAR_ENCRYPTION_KEYS_FILE: keysFile(`a=${one}\na=${two}`) }, 'two encryption keys have the id a'],
    [{ ONETEAR_ENCRYPTION: 'required' }, 'gives a key'],
    [{ ONETEAR_ENCRYPTION: 'yes' }, '"required" or "optional"'],
  ])('%j: %s, and no key is shown', (env, message) => {
    const read = (): unknown => readEncryption(env);
    expect(read).toThrow(expect.objectContaining({ code: 'ENCRYPTION_KEYS' }) as Error);
    expect(read).toThrow(message);
    expect(read).not.toThrow(/c2hvcnQ/);
  });

  test('two processes understand each other when each has what the other encrypts with', () => {
    expect(keysProblem([], [])).toBeUndefined();
    expect(keysProblem(['a', 'b'], ['b', 'a'])).toBeUndefined();
    expect(keysProblem(['a'], [])).toContain('has no encryption key');
    expect(keysProblem([], ['a'])).toContain('this process has no key');
    expect(keysProblem(['a', 'b'], ['b'])).toContain('the worker of the run does not have');
    expect(keysProblem(['a'], ['b', 'a'])).toContain('this process does not have');
  });
});

describe('encryption codec', () => {
  const codec = encryptionCodec({ encryption: encryption({ ONETEAR_ENCRYPTION_KEY: one }) });

  test('hides everything of a payload and gives it back', async () => {
    const value = { password: 'very plain', list: [1, null] };
    const [hidden] = await codec.encode([payload(value)], workflow('w'));
    const seen = Buffer.from(hidden?.data ?? []).toString('latin1');
    expect(seen).not.toContain('plain');
    expect(seen).not.toContain('json');
    expect(new TextDecoder().decode(hidden?.metadata?.['encoding'] as Uint8Array)).toBe('binary/encrypted');
    expect(valueOf((await codec.decode([hidden as Payload], workflow('w')))[0])).toEqual(value);
    const [again] = await codec.encode([payload(value)], workflow('w'));
    expect(Buffer.from(again?.data ?? [])).not.toEqual(Buffer.from(hidden?.data ?? []));
    expect((await codec.encode([hidden as Payload], workflow('w')))[0]).toBe(hidden);
  });

  test('a payload belongs to its workflow', async () => {
    const [hidden] = (await codec.encode([payload(1)], workflow('onetear/a'))) as [Payload];
    await expect(codec.decode([hidden], workflow('onetear/b'))).rejects.toThrow(
      'payload of workflow onetear/a is refused in workflow onetear/b',
    );
    // Its name cannot be changed either, and a schedule may add the time.
    const moved = { ...hidden, metadata: { ...hidden.metadata, 'encryption-workflow-id': Buffer.from('onetear/b') } };
    await expect(codec.decode([moved], workflow('onetear/b'))).rejects.toThrow('cannot be decrypted');
    expect(valueOf((await codec.decode([hidden], workflow('onetear/a-2026-11-24T10:00:00Z')))[0])).toBe(1);
    expect(valueOf((await codec.decode([hidden]))[0])).toBe(1);
    const reading = encryptionCodec({ encryption: encryption({ ONETEAR_ENCRYPTION_KEY: one }), workflow: 'ignore' });
    expect(valueOf((await reading.decode([hidden], workflow('elsewhere')))[0])).toBe(1);
  });

  test('a changed payload, a key of the same name and a missing key are told apart', async () => {
    const named = encryptionCodec({ encryption: encryption({ ONETEAR_ENCRYPTION_KEYS_FILE: keysFile(`k=${one}`) }) });
    const [hidden] = (await named.encode([payload('x')], workflow('w'))) as [Payload];
    const data = Buffer.from(hidden.data ?? []);
    data[20] = (data[20] as number) ^ 1;
    await expect(named.decode([{ ...hidden, data }], workflow('w'))).rejects.toThrow('cannot be decrypted: it was changed');
    await expect(named.decode([{ ...hidden, data: data.subarray(0, 5) }], workflow('w'))).rejects.toThrow('cannot be decrypted');
    const other = encryptionCodec({ encryption: encryption({ ONETEAR_ENCRYPTION_KEYS_FILE: keysFile(`k=${two}`) }) });
    await expect(other.decode([hidden], workflow('w'))).rejects.toThrow('key k is not the key of that name');
    await expect(codec.decode([hidden], workflow('w'))).rejects.toThrow(
      /encrypted with key k, which this process does not have; it has key-/,
    );
    await expect(noKeyCodec.decode([hidden])).rejects.toThrow('encrypted with key k, and this process has no key');
  });

  test('an old key still decrypts, the new one encrypts', async () => {
    const old = encryptionCodec({ encryption: encryption({ ONETEAR_ENCRYPTION_KEYS_FILE: keysFile(`old=${one}`) }) });
    const rotated = encryptionCodec({ encryption: encryption({ ONETEAR_ENCRYPTION_KEYS_FILE: keysFile(`new=${two}\nold=${one}`) }) });
    const [hidden] = (await old.encode([payload('x')], workflow('w'))) as [Payload];
    expect(valueOf((await rotated.decode([hidden], workflow('w')))[0])).toBe('x');
    const [newer] = (await rotated.encode([payload('x')], workflow('w'))) as [Payload];
    await expect(old.decode([newer], workflow('w'))).rejects.toThrow('encrypted with key new');
  });

  test('what is in clear passes, unless encryption is required', async () => {
    const clear = payload('x');
    expect((await codec.decode([clear]))[0]).toBe(clear);
    const strict = encryptionCodec({ encryption: encryption({ ONETEAR_ENCRYPTION_KEY: one, ONETEAR_ENCRYPTION: 'required' }) });
    await expect(strict.decode([clear])).rejects.toThrow('a payload in clear is refused');
  });

  test('goes around the compression', async () => {
    const { payloadCodecs = [], failureConverterPath } = dataConverterFor(encryption({ ONETEAR_ENCRYPTION_KEY: one }), 'worker');
    let payloads = [payload('a'.repeat(100_000))];
    for (const each of payloadCodecs) payloads = await each.encode(payloads, workflow('w'));
    expect(payloads[0]?.data?.byteLength).toBeLessThan(2_000);
    for (const each of payloadCodecs.toReversed()) payloads = await each.decode(payloads, workflow('w'));
    expect(valueOf(payloads[0])).toBe('a'.repeat(100_000));
    expect(failureConverterPath).toMatch(/encoding-failure-converter\.cjs$/);
    expect(dataConverterFor(undefined, 'worker').failureConverterPath).toBeUndefined();
  });
});

test('a bundle that cannot encode failures is refused', () => {
  expect(encodeFailures('x = "onetear:failure-texts=clear"')).toBe('x = "onetear:failure-texts=encoded"');
  expect(() => encodeFailures('x')).toThrow('cannot encode the texts of failures');
});
