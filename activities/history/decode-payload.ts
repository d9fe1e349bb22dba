import type { LoadedDataConverter, Payload } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';

type Payloads = temporal.api.common.v1.IPayloads;
type Failure = temporal.api.failure.v1.IFailure;
type ProtoPayload = temporal.api.common.v1.IPayload;

/** One payload to a plain value: codecs in reverse order, then the payload converter. `undefined` when there is none. */
export async function decodePayload(payload: ProtoPayload | null | undefined, converter: LoadedDataConverter): Promise<unknown> {
  if (!payload) return undefined;
  let payloads: Payload[] = [payload];
  for (const codec of converter.payloadCodecs.toReversed()) payloads = await codec.decode(payloads);
  const [decoded] = payloads;
  return decoded ? converter.payloadConverter.fromPayload(decoded) : undefined;
}

/** The first value of an argument or result list; the rest is never read, so it is not decoded. */
export async function decodeFirst(payloads: Payloads | null | undefined, converter: LoadedDataConverter): Promise<unknown> {
  return decodePayload(payloads?.payloads?.[0], converter);
}

/** What a projection may know of a failure. */
export interface FailureFacts {
  readonly failureType?: string;
  readonly message?: string;
  readonly detail?: unknown;
}

/**
 * Walks the causes to the failure that was born in our code: an activity failure inside a workflow's failure is a wrapper.
 * A time-out keeps its own message, because its cause is the failure of an earlier try, which says nothing about this one.
 */
export async function decodeFailure(failure: Failure | null | undefined, converter: LoadedDataConverter): Promise<FailureFacts> {
  let current = failure ?? undefined;
  while (current?.cause && !current.applicationFailureInfo && !current.timeoutFailureInfo && !current.canceledFailureInfo) {
    current = current.cause;
  }
  if (!current) return {};
  const message = await failureMessage(current, converter);
  const details = current.applicationFailureInfo?.details ?? current.canceledFailureInfo?.details;
  const detail = await decodeFirst(details, converter);
  const failureType = failureTypeOf(current);
  return {
    ...(failureType === undefined ? {} : { failureType }),
    ...(message === undefined ? {} : { message }),
    ...(detail === undefined ? {} : { detail }),
  };
}

/** A failure converter that hides texts puts message and stack into an encoded payload. */
async function failureMessage(failure: Failure, converter: LoadedDataConverter): Promise<string | undefined> {
  const encoded = await decodePayload(failure.encodedAttributes, converter);
  if (typeof encoded === 'object' && encoded !== null && 'message' in encoded && typeof encoded.message === 'string')
    return encoded.message;
  return failure.message || undefined;
}

function failureTypeOf(failure: Failure): string | undefined {
  if (failure.applicationFailureInfo) return failure.applicationFailureInfo.type || undefined;
  if (failure.timeoutFailureInfo) return 'Timeout';
  if (failure.canceledFailureInfo) return 'Cancelled';
  if (failure.terminatedFailureInfo) return 'Terminated';
  if (failure.serverFailureInfo) return 'Server';
  return undefined;
}
