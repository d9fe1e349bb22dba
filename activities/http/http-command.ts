import type { Command } from '../../dsl/model/command.ts';
import type { Value, ValueMap } from '../../dsl/model/value.ts';
import type { Execution, JobContext } from '../run-types.ts';
import type { OutputSink } from '../worker-jobs/output-sink.ts';
import { runWorkerJob, type WorkerAnswer } from '../worker-jobs/worker-job.ts';
import { type HttpOutcome, type HttpRequest, sendRequest } from './http-request.ts';
import { tlsOptions } from './tls-options.ts';

/** Methods that, by their definition, change nothing: they may be sent again. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** What must not go to another host. */
const PRIVATE: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization']);

/**
 * `run: http`: one request from the worker. stdout = body, exit code 0 = answered (whatever the status), else as curl's; stderr = status line, or why
 * there is no answer. A server that is down is an outcome of the product: `expect: { exit_code: { not: 0 } }` tests it.
 */
export const httpCommand: Command<JobContext, Execution> = {
  async execute(context) {
    const { options } = context.command;
    const made = makeRequest(options, context.run.suiteDir);
    if ('problem' in made) return { kind: 'not_run', code: 'refused', why: made.problem };
    const { request } = made;
    const idempotent = typeof options['idempotent'] === 'boolean' ? options['idempotent'] : SAFE.has(request.method);
    const redirects = typeof options['redirects'] === 'number' ? options['redirects'] : 0;
    return runWorkerJob(context.place, {
      job: context.job,
      idempotent,
      timeoutMs: context.timeoutMs,
      run: ({ signal, stdout }) => follow(request, redirects, signal, stdout),
    });
  },
};

/** Reads the options of a command; the problem is one line for people. */
export function makeRequest(options: ValueMap, suiteDir: string): { readonly request: HttpRequest } | { readonly problem: string } {
  const { url: address, method = 'GET', headers: given = {}, body } = options;
  let url: URL;
  try {
    url = new URL(typeof address === 'string' ? address : '');
  } catch {
    return { problem: `url: ${JSON.stringify(address)} is not an address` };
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return { problem: `url: ${url.protocol} is not supported, only http: and https:` };
  if (typeof method !== 'string' || !/^[A-Za-z]{1,20}$/u.test(method)) return { problem: `method: ${JSON.stringify(method)} is not one` };
  const tls = tlsOptions(options['tls'], suiteDir);
  if ('problem' in tls) return tls;
  const headers = readHeaders(given);
  if (typeof headers === 'string') return { problem: headers };
  if (url.username !== '' && headers['authorization'] === undefined) {
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers['authorization'] = `Basic ${Buffer.from(credentials, 'utf8').toString('base64')}`;
  }
  if (typeof body === 'object' && body !== null) headers['content-type'] ??= 'application/json';
  headers['user-agent'] ??= 'onetear';
  const text = bodyText(body);
  return {
    request: { url, method: method.toUpperCase(), headers, ...(text !== undefined && { body: text }), tls: tls.options },
  };
}

function readHeaders(given: Value): { [name: string]: string | string[] } | string {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return 'headers must be a map';
  const headers: { [name: string]: string | string[] } = {};
  for (const [name, value] of Object.entries(given as ValueMap)) {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/u.test(name)) return `headers: ${JSON.stringify(name)} is not the name of a header`;
    const values = (Array.isArray(value) ? value : [value]) as readonly Value[];
    if (values.some((each) => each === null || typeof each === 'object')) return `headers.${name} must be a text or a list of texts`;
    const texts = values.map(String);
    // A value that came through a mark must not become a header of its own.
    if (texts.some((text) => /[\r\n\0]/u.test(text))) return `headers.${name} holds a line break`;
    headers[name.toLowerCase()] = texts.length === 1 ? (texts[0] as string) : texts;
  }
  return headers;
}

function bodyText(body: Value | undefined): string | undefined {
  if (body === undefined || body === null) return undefined;
  return typeof body === 'string' ? body : JSON.stringify(body);
}

/** Sends the request, and what an answer redirects to, at most so many times. */
async function follow(first: HttpRequest, redirects: number, signal: AbortSignal, stdout: OutputSink): Promise<WorkerAnswer> {
  let request = first;
  for (let left = redirects; ; left--) {
    // The body of a redirect is not the body of the answer.
    const body = redirects > 0 ? hold() : stdout;
    const outcome = await sendRequest(request, signal, body);
    const target = outcome.kind === 'answer' && redirects > 0 && REDIRECTS.has(outcome.status) ? location(outcome, request.url) : undefined;
    if (target === undefined) {
      if (body !== stdout) for (const piece of (body as Held).pieces) stdout.write(piece);
      return answerOf(outcome);
    }
    if (left === 0) {
      return { ...answerOf(outcome), exitCode: 47, stderr: `more than ${redirects} redirects, the last to ${target.href}\n` };
    }
    request = redirected(request, target, (outcome as Extract<HttpOutcome, { kind: 'answer' }>).status);
  }
}

interface Held extends OutputSink {
  readonly pieces: readonly Buffer[];
}

const HELD_LIMIT = 64 * 1024 * 1024;

/** Keeps a body until it is known whether it counts. */
function hold(): Held {
  const pieces: Buffer[] = [];
  let bytes = 0;
  return {
    pieces,
    write(piece) {
      const buffer = Buffer.from(piece as Buffer);
      bytes += buffer.length;
      if (bytes > HELD_LIMIT) return false;
      pieces.push(buffer);
      return true;
    },
    finish() {
      throw new Error('a held body is not finished');
    },
    close: () => undefined,
  };
}

function location(outcome: Extract<HttpOutcome, { kind: 'answer' }>, from: URL): URL | undefined {
  const text = outcome.headers['location'];
  if (typeof text !== 'string') return undefined;
  const target = parseUrl(text, from);
  return target !== undefined && /^https?:$/u.test(target.protocol) ? target : undefined;
}

function parseUrl(text: string, from: URL): URL | undefined {
  try {
    return new URL(text, from);
  } catch {
    return undefined;
  }
}

/** As browsers and curl do: 303, and 301 and 302 after a POST, become a GET without body; credentials stay with their host. */
function redirected(request: HttpRequest, target: URL, status: number): HttpRequest {
  const becomesGet = (status === 303 && request.method !== 'HEAD') || ((status === 301 || status === 302) && request.method === 'POST');
  const sameHost = target.origin === request.url.origin;
  const headers = Object.fromEntries(
    Object.entries(request.headers).filter(
      ([name]) => (sameHost || !PRIVATE.has(name)) && name !== 'host' && !(becomesGet && name.startsWith('content-')),
    ),
  );
  const { body, ...rest } = request;
  return { ...rest, url: target, headers, ...(becomesGet ? { method: 'GET' } : body !== undefined && { body }) };
}

function answerOf(outcome: HttpOutcome): WorkerAnswer {
  const facts = { status: outcome.status, headers: outcome.headers };
  if (outcome.kind === 'answer') {
    return { exitCode: 0, stderr: `HTTP ${outcome.status} ${outcome.statusText}`.trimEnd() + '\n', facts };
  }
  return { exitCode: outcome.exitCode, stderr: `${outcome.why}\n`, facts, outcomeUnknown: outcome.unknown };
}
