import { createHash } from 'node:crypto';

import type { JobContext } from './run-types.ts';

/** Environment of a job: the suite's, then what the engine sets for every command. */
export function jobEnvironment(context: JobContext): { readonly [name: string]: string } {
  const { command, run, address, place } = context;
  return {
    TRACEPARENT: traceParent(run.run, run.iteration, context.job),
    ...command.env,
    ONETEAR_RUN: run.run,
    ONETEAR_TESTCASE: address.testcase,
    ONETEAR_STEP: address.step,
    ONETEAR_NODE: place.node.name,
    ONETEAR_TRY: String(context.number),
  };
}

/** Ids are computed, never drawn: a trace id per run (and iteration), a span id per job, so that every sink and every attempt agree. */
function traceParent(run: string, iteration: number | undefined, job: string): string {
  const hex = (text: string, length: number): string => createHash('sha256').update(text).digest('hex').slice(0, length);
  return `00-${hex(`trace|${run}|${iteration ?? 0}`, 32)}-${hex(`span|${job}`, 16)}-01`;
}
