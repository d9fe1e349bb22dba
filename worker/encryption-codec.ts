import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Payload, PayloadCodec, SerializationContext } from '@temporalio/common';
import { METADATA_ENCODING_KEY } from '@temporalio/common';
import proto from '@temporalio/proto';
import type { Encryption, EncryptionKey } from './encryption-keys.ts';

// A CommonJS package whose names Node cannot see.
const { Payload: PayloadMessage } = proto.temporal.api.common.v1;

const ENCODING = 'binary/encrypted';
const CIPHER = 'AES-256-GCM';
const KEY_ID = 'encryption-key-id';
const CIPHER_NAME = 'encryption-cipher';
/** The workflow that a payload belongs to: it is authenticated, so that a payload cannot be moved to another workflow. */
const WORKFLOW_ID = 'encryption-workflow-id';
const IV_BYTES = 12;
const TAG_BYTES = 16;

export interface EncryptionCodecOptions {
  readonly encryption: Encryption;
  /** `ignore`: payloads of any workflow may be decoded under any id; for histories that are read by themselves. Default `check`. */
  readonly workflow?: 'check' | 'ignore';
}

/** AES-256-GCM over whole payloads, their own metadata included. What is in clear passes unless encryption is required. */
export function encryptionCodec({ encryption, workflow = 'check' }: EncryptionCodecOptions): PayloadCodec {
  const [first] = encryption.keys;
  const byId = new Map(encryption.keys.map((key) => [key.id, key]));
  return {
    encode: async (payloads, context) =>
      payloads.map((payload) => (isEncrypted(payload) ? payload : encrypt(payload, first, workflowOf(context)))),
    decode: async (payloads, context) =>
      payloads.map((payload) => {
        if (isEncrypted(payload)) return decrypt(payload, byId, workflow === 'check' ? workflowOf(context) : undefined);
        if (encryption.required) throw refused('a payload in clear is refused: ONETEAR_ENCRYPTION is "required"');
        return payload;
      }),
  };
}

/** Without a key: what is encrypted is an error in plain words instead of bytes that nobody can read. */
export const noKeyCodec: PayloadCodec = {
  encode: async (payloads) => payloads,
  decode: async (payloads) => {
    const encrypted = payloads.find(isEncrypted);
    if (encrypted === undefined) return payloads;
    throw refused(`a payload is encrypted with key ${textOf(encrypted, KEY_ID)}, and this process has no key: set ONETEAR_ENCRYPTION_KEY`);
  },
};

function encrypt(payload: Payload, key: EncryptionKey, workflowId: string | undefined): Payload {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key.bytes, iv, { authTagLength: TAG_BYTES });
  cipher.setAAD(associated(key.id, workflowId));
  const data = Buffer.concat([iv, cipher.update(PayloadMessage.encode(payload).finish()), cipher.final(), cipher.getAuthTag()]);
  const metadata = {
    [METADATA_ENCODING_KEY]: ENCODING,
    [CIPHER_NAME]: CIPHER,
    [KEY_ID]: key.id,
    ...(workflowId === undefined ? {} : { [WORKFLOW_ID]: workflowId }),
  };
  return { metadata: Object.fromEntries(Object.entries(metadata).map(([name, text]) => [name, Buffer.from(text)])), data };
}

function decrypt(payload: Payload, keys: ReadonlyMap<string, EncryptionKey>, expected: string | undefined): Payload {
  const id = textOf(payload, KEY_ID);
  const key = keys.get(id);
  if (key === undefined)
    throw refused(`a payload is encrypted with key ${id}, which this process does not have; it has ${[...keys.keys()].join(', ')}`);
  const workflowId = payload.metadata?.[WORKFLOW_ID] ? textOf(payload, WORKFLOW_ID) : undefined;
  if (expected !== undefined && workflowId !== undefined && !isFor(workflowId, expected))
    throw refused(`a payload of workflow ${workflowId} is refused in workflow ${expected}`);
  const data = Buffer.from(payload.data ?? []);
  try {
    const decipher = createDecipheriv('aes-256-gcm', key.bytes, data.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(associated(id, workflowId));
    decipher.setAuthTag(data.subarray(-TAG_BYTES));
    const whole = Buffer.concat([decipher.update(data.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]);
    return PayloadMessage.decode(whole);
  } catch (error) {
    throw refused(`a payload cannot be decrypted: it was changed, or key ${id} is not the key of that name that encrypted it`, error);
  }
}

/** A schedule encrypts before the workflow has its id, which then ends with the time. */
function isFor(workflowId: string, expected: string): boolean {
  return workflowId === expected || expected.startsWith(`${workflowId}-`);
}

function associated(keyId: string, workflowId: string | undefined): Buffer {
  return Buffer.from(JSON.stringify([CIPHER, keyId, workflowId ?? null]));
}

function workflowOf(context: SerializationContext | undefined): string | undefined {
  return context?.workflowId;
}

function isEncrypted(payload: Payload): boolean {
  return textOf(payload, METADATA_ENCODING_KEY) === ENCODING;
}

function textOf(payload: Payload, name: string): string {
  const bytes = payload.metadata?.[name];
  return bytes === undefined || bytes === null ? '' : new TextDecoder().decode(bytes);
}

function refused(message: string, cause?: unknown): Error & { code: string } {
  return Object.assign(new Error(message, cause === undefined ? {} : { cause }), { code: 'PAYLOAD_REFUSED' });
}
