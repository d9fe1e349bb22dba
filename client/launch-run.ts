import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { WorkflowNotFoundError } from '@temporalio/client';
import { removeRunSecrets, writeRunSecrets } from '../activities/store/run-secrets-file.ts';
import { writeRunRecord } from '../activities/store/run-store.ts';
import type { Plan } from '../dsl/model/plan.ts';
import type { RunInfo } from '../dsl/model/workflow-io.ts';
import { EXIT } from '../report/exit-code.ts';
import { CliError } from './cli/cli-error.ts';
import type { CliIo } from './cli/io.ts';
import type { SuiteOptions } from './cli/options.ts';
import type { TailedWorkflow } from './follow/history-tail.ts';
import { isServerAway } from './follow/server-link.ts';
import { homeOf } from './home.ts';
import type { LoadedPlan } from './load-plan.ts';
import type { OpenServer } from './open-server.ts';
import { writeRunRequest } from './run-request.ts';
import { prepareResultsDir, runInfo, runningRecord, startSuiteWorkflow, suiteWorkflowId } from './start-run.ts';

export interface RunToLaunch {
  readonly run: string;
  readonly file: string;
  readonly loaded: LoadedPlan & { readonly plan: Plan };
  readonly options: SuiteOptions & {
    readonly results?: string;
    readonly secretsFile?: string;
    readonly sshConfig?: string;
    readonly soak?: string | false;
  };
  readonly server: OpenServer;
  /** Values of the suite's secrets, all of them. */
  readonly secrets: ReadonlyMap<string, string>;
  /** False = what was asked for is not kept: the run is made by us, and `rerun` refuses it. */
  readonly keepRequest?: boolean;
}

export interface LaunchedRun {
  readonly info: RunInfo;
  readonly root: TailedWorkflow;
  readonly startedAt: number;
}

/**
 * Writes the record, then starts the workflow: a run that exists can always be found by `runs`. Dies between the two:
 * a record without a workflow stays, and `watch` says so; the secrets file is swept by a worker of this host. When the server refuses, the record is taken back.
 * When nobody can know whether the server took it, the record stays and CLI_START_UNKNOWN is thrown.
 */
export async function launchRun(
  { run, file, loaded, options, server, secrets, keepRequest = true }: RunToLaunch,
  io: CliIo,
): Promise<LaunchedRun> {
  const { plan, suiteDir, texts } = loaded;
  const home = homeOf(io);
  const runDir = join(home.runsDir, run);
  const startedAt = Date.now();
  const resultsDir = prepareResultsDir(options.results, run, io.cwd);
  const info = runInfo({ run, plan, suiteDir, resultsDir }, server);
  const { env, param, k, m, cell, limit, x, maxfail, shard, soak } = options;
  const sshConfig = options.sshConfig === undefined ? undefined : resolve(io.cwd, options.sshConfig);
  const secretsFile = options.secretsFile === undefined ? undefined : resolve(io.cwd, options.secretsFile);
  const kept = Object.fromEntries(
    Object.entries({ env, param, k, m, cell, limit, x, maxfail, shard, soak, secretsFile, sshConfig }).filter(
      ([, value]) => value !== undefined,
    ),
  );
  if (keepRequest) writeRunRequest(runDir, { v: 1, file, suiteDir, texts, seed: plan.seed, options: kept });
  await writeRunRecord(home, runningRecord(info, plan, startedAt));
  try {
    if (secrets.size > 0) {
      writeRunSecrets(home, {
        v: 1,
        run,
        workflowId: suiteWorkflowId(info.slug, run),
        server: { queue: info.queues.main, address: server.address, namespace: server.namespace },
        values: Object.fromEntries(secrets),
      });
    }
    return { info, root: await startSuiteWorkflow(server, info, plan), startedAt };
  } catch (error) {
    // The server may have taken the start, and only the answer was lost: what runs must be found by `runs`, and needs its secrets.
    if (isServerAway(error)) {
      const root = await findStarted(server, suiteWorkflowId(info.slug, run), run, error);
      if (root !== undefined) return { info, root, startedAt };
    }
    removeRunSecrets(home, run);
    rmSync(runDir, { recursive: true, force: true });
    throw error;
  }
}

const LOOK_DEADLINE_MS = 10_000;

/** The workflow whose start was not answered; `undefined` when the server does not have it. Throws CLI_START_UNKNOWN when it does not say. */
async function findStarted(
  { connection, client }: OpenServer,
  workflowId: string,
  run: string,
  cause: unknown,
): Promise<TailedWorkflow | undefined> {
  try {
    const { runId } = await connection.withDeadline(Date.now() + LOOK_DEADLINE_MS, () => client.workflow.getHandle(workflowId).describe());
    return { workflowId, runId };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    const message = `the server did not answer when the run ${run} was started: it may run`;
    throw new CliError('CLI_START_UNKNOWN', EXIT.unreachable, message, {
      hint: `When the server is back, see what became of it: onetear watch ${run}`,
      cause,
    });
  }
}
