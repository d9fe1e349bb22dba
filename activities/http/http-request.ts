import { Client, type Dispatcher } from 'undici';

import type { ValueMap } from '../../dsl/model/value.ts';
import type { OutputSink } from '../worker-jobs/output-sink.ts';
import { httpFailure, type HttpFailure } from './http-failure.ts';
import type { TlsOptions } from './tls-options.ts';

/** One request as it goes out. */
export interface HttpRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: { readonly [name: string]: string | readonly string[] };
  readonly body?: string;
  readonly tls: TlsOptions;
}

/** What came back: an answer, or why there is none. */
export type HttpOutcome =
  | { readonly kind: 'answer'; readonly status: number; readonly statusText: string; readonly headers: ValueMap }
  | ({ readonly kind: 'failure'; readonly status: number | null; readonly headers: ValueMap } & HttpFailure);

/**
 * Sends one request on a connection of its own and writes the body of the answer into the sink. Nothing is sent twice, followed, decompressed or
 * kept for later; no proxy is asked. Never rejects.
 */
export async function sendRequest(request: HttpRequest, signal: AbortSignal, sink: OutputSink): Promise<HttpOutcome> {
  const { url, method, headers, body, tls } = request;
  const { servername, ...trust } = tls;
  const client = new Client(url.origin, {
    // The limits are those of the command: its signal ends the request.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: 0, ...trust, ...(servername !== undefined && { servername }) },
    pipelining: 1,
  });
  let connected = false;
  client.on('connect', () => (connected = true));
  // Failures reach the request; without a listener they would reach the process, too.
  client.on('connectionError', () => undefined);
  let answer: Dispatcher.ResponseData | undefined;
  try {
    answer = await client.request({
      path: `${url.pathname}${url.search}`,
      method,
      headers: headers as { [name: string]: string | string[] },
      signal,
      ...(body !== undefined && { body }),
    });
    for await (const piece of answer.body) {
      if (sink.write(piece as Buffer)) continue;
      const tooLarge: HttpFailure = { exitCode: 63, why: 'the body is larger than 64 MiB', unknown: false };
      return { kind: 'failure', status: answer.statusCode, headers: plainHeaders(answer.headers), ...tooLarge };
    }
    return { kind: 'answer', status: answer.statusCode, statusText: answer.statusText ?? '', headers: plainHeaders(answer.headers) };
  } catch (error) {
    const failure = httpFailure(error, { connected, answered: answer !== undefined, secure: url.protocol === 'https:' });
    return { kind: 'failure', status: answer?.statusCode ?? null, headers: plainHeaders(answer?.headers ?? {}), ...failure };
  } finally {
    // Not `close`: nothing is left that is worth waiting for.
    await client.destroy();
  }
}

function plainHeaders(headers: { readonly [name: string]: string | readonly string[] | undefined }): ValueMap {
  return Object.fromEntries(Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))) as ValueMap;
}
