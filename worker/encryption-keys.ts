import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isAbsolute } from 'node:path';

/** A key of 256 bits and its name, which stands in clear beside what it encrypts. */
export interface EncryptionKey {
  readonly id: string;
  readonly bytes: Buffer;
  /** Twelve hex digits of a hash over the key: two processes compare these, never the keys. */
  readonly fingerprint: string;
}

/** Keys of this process. The first one encrypts, all of them decrypt. */
export interface Encryption {
  readonly keys: readonly [EncryptionKey, ...EncryptionKey[]];
  /** Payloads in clear are refused. */
  readonly required: boolean;
}

/** Variables that hold keys; only processes that encrypt or decrypt may have them. */
export const KEY_VARIABLES = ['ONETEAR_ENCRYPTION_KEY', 'ONETEAR_ENCRYPTION_KEYS_FILE'] as const;

const KEY_BYTES = 32;

/**
 * Reads `ONETEAR_ENCRYPTION_KEY` (base64 of 32 bytes), then the lines `id=base64` of `ONETEAR_ENCRYPTION_KEYS_FILE`. `undefined` when neither is
 * set. `ONETEAR_ENCRYPTION=required` refuses payloads in clear. Throws with code `ENCRYPTION_KEYS`; the message shows no key.
 */
export function readEncryption(env: { readonly [name: string]: string | undefined }): Encryption | undefined {
  const mode = env['ONETEAR_ENCRYPTION'] ?? '';
  if (mode !== '' && mode !== 'required' && mode !== 'optional') throw keysError('ONETEAR_ENCRYPTION is either "required" or "optional"');
  const keys: EncryptionKey[] = [];
  const add = (key: EncryptionKey): void => {
    const same = keys.find(({ id }) => id === key.id);
    if (same !== undefined && same.fingerprint !== key.fingerprint) throw keysError(`two encryption keys have the id ${key.id}`);
    if (same === undefined) keys.push(key);
  };
  const single = env['ONETEAR_ENCRYPTION_KEY'];
  if (single) {
    const bytes = parseKey(single);
    if (bytes === undefined) throw keysError('ONETEAR_ENCRYPTION_KEY is not the base64 of 32 bytes; make one: openssl rand -base64 32');
    add(keyOf(`key-${fingerprintOf(bytes).slice(0, 8)}`, bytes));
  }
  const file = env['ONETEAR_ENCRYPTION_KEYS_FILE'];
  if (file) for (const key of readKeysFile(file)) add(key);
  const [first, ...others] = keys;
  if (first !== undefined) return { keys: [first, ...others], required: mode === 'required' };
  if (mode === 'required') throw keysError(`ONETEAR_ENCRYPTION is "required", but neither ${KEY_VARIABLES.join(' nor ')} gives a key`);
  return undefined;
}

function readKeysFile(file: string): readonly EncryptionKey[] {
  // Keeper and worker have another working directory than whoever started them.
  if (!isAbsolute(file)) throw keysError('ONETEAR_ENCRYPTION_KEYS_FILE must be an absolute path');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw keysError(`the file of encryption keys ${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})`);
  }
  const keys: EncryptionKey[] = [];
  for (const [index, line] of text.split(/\r?\n/u).entries()) {
    if (line.trim() === '' || line.trimStart().startsWith('#')) continue;
    const [, id = '', key = ''] = /^\s*([\w.-]{1,64})=(\S+)\s*$/u.exec(line) ?? [];
    const bytes = parseKey(key);
    if (id === '' || bytes === undefined) throw keysError(`${file}:${index + 1}: is not id=key with the base64 of 32 bytes`);
    keys.push(keyOf(id, bytes));
  }
  if (keys.length === 0) throw keysError(`${file} holds no encryption key`);
  return keys;
}

function parseKey(text: string): Buffer | undefined {
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/u.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === KEY_BYTES ? bytes : undefined;
}

function keyOf(id: string, bytes: Buffer): EncryptionKey {
  return { id, bytes, fingerprint: fingerprintOf(bytes) };
}

function fingerprintOf(bytes: Buffer): string {
  return createHash('sha256').update('onetear encryption key\0').update(bytes).digest('hex').slice(0, 12);
}

/** Fingerprints of the keys, the encrypting one first; empty without encryption. */
export function fingerprintsOf(encryption: Encryption | undefined): readonly string[] {
  return encryption?.keys.map(({ fingerprint }) => fingerprint) ?? [];
}

/**
 * Why two processes cannot read what each other writes; `undefined` when they can. Both lists as from {@link fingerprintsOf}.
 */
export function keysProblem(own: readonly string[], worker: readonly string[]): string | undefined {
  const [ownFirst] = own;
  const [workerFirst] = worker;
  if (ownFirst === undefined && workerFirst === undefined) return undefined;
  if (workerFirst === undefined) return 'the worker of the run has no encryption key, and this process has one';
  if (ownFirst === undefined) return 'the worker of the run encrypts, and this process has no key (ONETEAR_ENCRYPTION_KEY)';
  if (!worker.includes(ownFirst)) return 'the worker of the run does not have the key that this process encrypts with';
  if (!own.includes(workerFirst)) return 'this process does not have the key that the worker of the run encrypts with';
  return undefined;
}

function keysError(message: string): Error & { code: string } {
  return Object.assign(new Error(message), { code: 'ENCRYPTION_KEYS' });
}
