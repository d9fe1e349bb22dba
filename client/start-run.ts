import { accessSync, constants } from 'node:fs';
import { resolve } from 'node:path';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { makeFolder } from '../activities/store/make-folder.ts';
import type { Plan } from '../dsl/model/plan.ts';
import type { RunRecord } from '../dsl/model/record.ts';
import { WORKFLOW, type RunInfo, type SuiteInput } from '../dsl/model/workflow-io.ts';
import type { TailedWorkflow } from './follow/history-tail.ts';
import type { OpenServer } from './open-server.ts';
import { readBuildInfo } from '../worker/build-info.ts';
import { usageError } from './cli/cli-error.ts';

export interface RunToStart {
  readonly run: string;
  readonly plan: Plan;
  readonly suiteDir: string;
  /** Absolute. */
  readonly resultsDir: string;
}

/** Temporal's limit for keyword attributes. */
const MAX_KEYWORD = 255;
const MAX_SUMMARY_BYTES = 200;

/** Workflow id of a run's suite. */
export function suiteWorkflowId(slug: string, run: string): string {
  return `onetear/${slug}/${run}`;
}

/** Absolute folder of the results, created: what cannot be written is a usage error now and not after an hour. */
export function prepareResultsDir(wanted: string | undefined, run: string, cwd: string): string {
  const folder = resolve(cwd, wanted ?? `onetear-results/${run}`);
  try {
    makeFolder(folder);
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw usageError(
      'CLI_RESULTS_UNWRITABLE',
      `the results folder ${folder} cannot be written: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  return folder;
}

/** What the workflows of the run are told about it. */
export function runInfo({ run, plan, suiteDir, resultsDir }: RunToStart, server: OpenServer): RunInfo {
  return {
    run,
    suite: plan.suite.name,
    slug: plan.suite.slug,
    seed: plan.seed,
    queues: server.queues,
    suiteDir,
    resultsDir,
    engine: readBuildInfo(),
    ...(server.ui === undefined ? {} : { ui: server.ui }),
    namespace: server.namespace,
    ...(plan.secrets.length > 0 && { secrets: plan.secrets }),
  };
}

/** The record of a run that is about to start. */
export function runningRecord(info: RunInfo, plan: Plan, startedAt: number): RunRecord {
  const workflowId = suiteWorkflowId(info.slug, info.run);
  return {
    v: 1,
    run: info.run,
    suite: info.suite,
    file: plan.suite.file,
    seed: info.seed,
    status: 'running',
    startedAt,
    workflowId,
    results: info.resultsDir,
    url:
      info.ui === undefined
        ? null
        : `${info.ui.replace(/\/+$/, '')}/namespaces/${encodeURIComponent(info.namespace)}/workflows/${encodeURIComponent(workflowId)}`,
    engine: info.engine,
    steps: [],
  };
}

/**
 * Starts the suite workflow. The id is made of the run id, so a call that is repeated because its answer was lost finds the
 * run already started, and that is a success.
 */
export async function startSuiteWorkflow(server: OpenServer, info: RunInfo, plan: Plan): Promise<TailedWorkflow> {
  const workflowId = suiteWorkflowId(info.slug, info.run);
  const input: SuiteInput = { v: 1, run: info, plan };
  const count = `${plan.cells.length} testcase${plan.cells.length === 1 ? '' : 's'}`;
  try {
    const handle = await server.client.workflow.start(WORKFLOW.suite, {
      workflowId,
      taskQueue: info.queues.main,
      args: [input],
      // A worker that was killed is noticed after this long.
      workflowTaskTimeout: '5 s',
      staticSummary: cutBytes(`${plan.suite.name} · ${count}`, MAX_SUMMARY_BYTES),
      memo: { suite: plan.suite.name, file: plan.suite.file, run: info.run, results: info.resultsDir, engine: info.engine.version },
      ...(server.searchAttributes ? { typedSearchAttributes: searchAttributes(plan, info.run) } : {}),
    });
    return { workflowId, runId: handle.firstExecutionRunId };
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const { runId } = await server.client.workflow.getHandle(workflowId).describe();
    return { workflowId, runId };
  }
}

function searchAttributes(
  plan: Plan,
  run: string,
): NonNullable<Parameters<OpenServer['client']['workflow']['start']>[1]['typedSearchAttributes']> {
  return [
    { key: defineSearchAttributeKey('OnetearSuite', SearchAttributeType.KEYWORD), value: plan.suite.name.slice(0, MAX_KEYWORD) },
    { key: defineSearchAttributeKey('OnetearRun', SearchAttributeType.KEYWORD), value: run },
    ...(plan.suite.tags.length > 0
      ? [
          {
            key: defineSearchAttributeKey('OnetearTags', SearchAttributeType.KEYWORD_LIST),
            value: plan.suite.tags.map((tag) => tag.slice(0, MAX_KEYWORD)),
          },
        ]
      : []),
  ];
}

function cutBytes(text: string, bytes: number): string {
  const whole = Buffer.from(text);
  return whole.length <= bytes
    ? text
    : whole
        .subarray(0, bytes)
        .toString('utf8')
        .replace(/\uFFFD+$/, '');
}
