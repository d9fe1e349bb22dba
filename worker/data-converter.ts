import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { DataConverter, Payload, PayloadCodec } from '@temporalio/common';
import { METADATA_ENCODING_KEY } from '@temporalio/common';
import proto from '@temporalio/proto';
import { encryptionCodec, noKeyCodec } from './encryption-codec.ts';
import type { Encryption } from './encryption-keys.ts';

// A CommonJS package whose names Node cannot see.
const { Payload: PayloadMessage } = proto.temporal.api.common.v1;

const gzipAsync = promisify(gzip);
const gunzipAsync = promisify(gunzip);

/** Smaller payloads stay as they are, so that Temporal's Web UI shows them. */
export const COMPRESS_ABOVE_BYTES = 16 * 1024;

/** A payload can be 2 MiB on the wire; what unpacks to more than this is not ours. */
const MAX_UNPACKED_BYTES = 256 * 1024 * 1024;

const ENCODING = 'binary/gzip';
const ENCODING_BYTES = new TextEncoder().encode(ENCODING);

function isCompressed(payload: Payload): boolean {
  const encoding = payload.metadata?.[METADATA_ENCODING_KEY];
  return encoding !== undefined && encoding !== null && new TextDecoder().decode(encoding) === ENCODING;
}

async function compress(payload: Payload): Promise<Payload> {
  if ((payload.data?.byteLength ?? 0) <= COMPRESS_ABOVE_BYTES || isCompressed(payload)) return payload;
  const whole = PayloadMessage.encode(payload).finish();
  const data = await gzipAsync(whole);
  if (data.byteLength >= whole.byteLength) return payload;
  return { metadata: { [METADATA_ENCODING_KEY]: ENCODING_BYTES }, data };
}

async function decompress(payload: Payload): Promise<Payload> {
  if (!isCompressed(payload) || !payload.data) return payload;
  const whole = await gunzipAsync(payload.data, { maxOutputLength: MAX_UNPACKED_BYTES });
  return PayloadMessage.decode(whole);
}

/** gzip for payloads over {@link COMPRESS_ABOVE_BYTES}; the whole payload travels inside, so its own encoding survives. */
export const compressionCodec: PayloadCodec = {
  encode: async (payloads) => Promise.all(payloads.map(compress)),
  decode: async (payloads) => Promise.all(payloads.map(decompress)),
};

/** The data converter of client, worker, history decoder and replay without encryption. */
export const dataConverter: DataConverter = { payloadCodecs: [compressionCodec, noKeyCodec] };

/**
 * The data converter of a process. Compressed first: what is encrypted does not compress. `replay`: histories are read under other ids than those
 * they were written for.
 */
export function dataConverterFor(encryption: Encryption | undefined, use: 'worker' | 'client' | 'replay'): DataConverter {
  if (encryption === undefined) return dataConverter;
  // Old histories are read, whatever is required of new ones.
  const readable = use === 'replay' ? { ...encryption, required: false } : encryption;
  const codec = encryptionCodec({ encryption: readable, workflow: use === 'replay' ? 'ignore' : 'check' });
  return {
    payloadCodecs: [compressionCodec, codec],
    ...(use !== 'worker' ? {} : { failureConverterPath: fileURLToPath(new URL('encoding-failure-converter.cjs', import.meta.url)) }),
  };
}
