import type { Sample } from '../dsl/expression/match.ts';
import { type Command, type CommandTable, runsOnWorker } from '../dsl/model/command.ts';
import type { Node } from '../dsl/model/node.ts';
import type { RunType } from '../dsl/model/suite.ts';
import type { ValueMap } from '../dsl/model/value.ts';
import type { RenderedCommand, RunInfo, StepAddress } from '../dsl/model/workflow-io.ts';
import { httpCommand } from './http/http-command.ts';
import { logsCommand } from './logs/logs-command.ts';
import { moduleCommand } from './module/module-command.ts';
import type { Identity } from './nodes/node-pool.ts';
import type { JobOutcome, JobPlace } from './nodes/run-job.ts';
import { prometheusCommand } from './prometheus/prometheus-command.ts';
import type { PreparedCommand } from './secrets/prepare-command.ts';
import { shellCommand } from './shell-command.ts';
import { sqlCommand } from './sql/sql-command.ts';

/** What a run type of the engine is told to execute: one job, on one node. */
export interface JobContext {
  readonly place: JobPlace;
  /** `<run>/<job>.t<k>` and the like. */
  readonly job: string;
  readonly run: RunInfo;
  readonly address: StepAddress;
  readonly command: RenderedCommand;
  /** `ONETEAR_TRY`. */
  readonly number: number;
  readonly timeoutMs: number;
  /** What `context` of a module is made from. */
  readonly scope: ValueMap;
}

/** A job's outcome; `outputs` are those that a module named itself. */
export type Execution = JobOutcome & {
  readonly outputs?: ValueMap;
  /** What else matchers and expressions see. */
  readonly facts?: Pick<Sample, 'status' | 'headers' | 'sqlstate' | 'rows' | 'json'>;
  /** It was sent, its effect is not known, and it may not be sent again: the user's retries end here. */
  readonly outcomeUnknown?: boolean;
};

/** Who executes which run type. */
export const RUN_TYPES: CommandTable<JobContext, Execution> = {
  shell: shellCommand,
  module: moduleCommand,
  sql: sqlCommand,
  http: httpCommand,
  python: undefined,
  logs: logsCommand,
  prometheus: prometheusCommand,
};

/** The executor of a run type; one that says "not supported yet" when there is none. */
export function runType(type: RunType): Command<JobContext, Execution> {
  return (
    RUN_TYPES[type] ?? {
      execute: async () => ({ kind: 'not_run', code: 'refused', why: `not supported yet: run: ${type}` }),
    }
  );
}

/** Executes a prepared command; one whose secrets are not known here does not run. */
export async function execute(prepared: PreparedCommand, context: JobContext): Promise<Execution> {
  if (prepared.problem !== undefined) return { kind: 'not_run', code: 'refused', why: prepared.problem };
  return runType(context.command.run).execute(context);
}

/**
 * Where a command runs: some run types beside the worker whatever node they are for, everything else on the node.
 * The node keeps its name: it stands in job ids and in the environment.
 */
export function hostOf(
  node: Node,
  command: RenderedCommand,
): { readonly node: Node; readonly identity: Identity; readonly elsewhere: boolean } {
  if (!runsOnWorker(command.run)) return { node, identity: command, elsewhere: false };
  return { node: { ...node, connection: 'local' }, identity: { sudo: false }, elsewhere: node.connection !== 'local' };
}

/** True when the workflow's cancel ended the job, or came before it had begun. */
export function wasCancelled(execution: Execution): boolean {
  return (execution.kind === 'ended' && execution.how === 'cancel') || (execution.kind === 'not_run' && execution.code === 'cancelled');
}
