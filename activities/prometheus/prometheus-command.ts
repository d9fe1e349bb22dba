import type { Command } from '../../dsl/model/command.ts';
import type { Value, ValueMap } from '../../dsl/model/value.ts';
import { parseDuration } from '../../dsl/expression/duration.ts';
import { makeRequest } from '../http/http-command.ts';
import { type HttpRequest, sendRequest } from '../http/http-request.ts';
import type { Execution, JobContext } from '../run-types.ts';
import { readTimePoint } from '../time-point.ts';
import type { OutputSink } from '../worker-jobs/output-sink.ts';
import { ANSWER_LIMIT } from '../worker-jobs/output-sink.ts';
import { runWorkerJob, type WorkerAnswer } from '../worker-jobs/worker-job.ts';
import { readResult } from './prometheus-result.ts';

/** Values of a range unless `step` says otherwise. */
const POINTS = 250;

/**
 * `run: prometheus`: a query of Prometheus's API (also of what speaks it), from the worker: the values now, or with `range` all of a time.
 * stdout = the value, or a line per value; `rows` = a row per value with its labels, `value` and `time`. Queries change nothing: sent again at will.
 */
export const prometheusCommand: Command<JobContext, Execution> = {
  async execute(context) {
    const { options, env } = context.command;
    const base = options['url'] ?? env['PROMETHEUS_URL'] ?? process.env['PROMETHEUS_URL'];
    if (typeof base !== 'string' || base === '')
      return refused('no url: write url:, or set PROMETHEUS_URL in the environment of the command or of the worker');
    const form = readForm(options, Date.now());
    if ('problem' in form) return refused(form.problem);
    const { path, fields } = form;
    const made = makeRequest(
      { ...options, url: `${base.replace(/\/+$/u, '')}${path}`, method: 'POST', body: new URLSearchParams(fields).toString() },
      context.run.suiteDir,
    );
    if ('problem' in made) return refused(made.problem);
    const headers = { ...made.request.headers, 'content-type': 'application/x-www-form-urlencoded' };
    return runWorkerJob(context.place, {
      job: context.job,
      idempotent: true,
      timeoutMs: context.timeoutMs,
      run: ({ signal, stdout }) => ask({ ...made.request, headers }, signal, stdout),
    });
  },
};

function refused(why: string): Execution {
  return { kind: 'not_run', code: 'refused', why };
}

/** Fields of the API for a command's options; times as seconds. */
export function readForm(
  options: ValueMap,
  nowMs: number,
): { readonly path: string; readonly fields: { [name: string]: string } } | { readonly problem: string } {
  const { query = '', range } = options;
  if (typeof query !== 'string') return { problem: 'query must be a text' };
  if (range === undefined || range === null) return { path: '/api/v1/query', fields: { query } };
  let from: Value = range;
  let until: Value | undefined;
  let step: Value | undefined;
  if (typeof range === 'object' && !Array.isArray(range)) ({ from = null, until, step } = range as ValueMap);
  else if (typeof range === 'number') from = `${range}s`;
  const start = readTimePoint(from, nowMs);
  const end = until === undefined || until === null ? nowMs : readTimePoint(until, nowMs);
  if (start === undefined) return { problem: `range: ${JSON.stringify(from)} is not a moment or how long ago` };
  if (end === undefined) return { problem: `range.until: ${JSON.stringify(until)} is not a moment or how long ago` };
  if (end < start) return { problem: 'range: it ends before it begins' };
  const given =
    step === undefined || step === null ? undefined : typeof step === 'object' ? Number.NaN : parseDuration(step as string | number);
  if (step !== undefined && step !== null && !(typeof given === 'number' && given > 0))
    return { problem: `range.step: ${JSON.stringify(step)} is not a duration` };
  const stepSeconds = given === undefined ? Math.max(1, Math.ceil((end - start) / 1_000 / POINTS)) : given / 1_000;
  return {
    path: '/api/v1/query_range',
    fields: { query, start: (start / 1_000).toFixed(3), end: (end / 1_000).toFixed(3), step: String(stepSeconds) },
  };
}

async function ask(request: HttpRequest, signal: AbortSignal, stdout: OutputSink): Promise<WorkerAnswer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  const body: OutputSink = {
    write(piece) {
      const buffer = Buffer.from(piece as Buffer);
      bytes += buffer.length;
      if (bytes > ANSWER_LIMIT) return false;
      pieces.push(buffer);
      return true;
    },
    finish() {
      throw new Error('not a sink of its own');
    },
    close: () => undefined,
  };
  const outcome = await sendRequest(request, signal, body);
  const { status } = outcome;
  if (outcome.kind === 'failure') return { exitCode: outcome.exitCode, stderr: `${outcome.why}\n`, facts: { status, rows: [] } };
  const text = Buffer.concat(pieces).toString('utf8');
  const result = readResult(text);
  if ('error' in result) {
    return { exitCode: 1, stderr: `HTTP ${status}: ${result.error}\n`, facts: { status, rows: [] } };
  }
  stdout.write(result.text);
  return {
    exitCode: 0,
    stderr: result.warnings.map((each) => `warning: ${each}\n`).join(''),
    facts: { status, rows: result.rows },
    jsonIsRows: true,
  };
}
