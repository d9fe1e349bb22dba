import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection, WorkflowFailedError } from '@temporalio/client';
import type { WorkflowHandle } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import { bundleWorkflowCode, DefaultLogger, makeTelemetryFilterString, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { ActivityDeps } from '../../activities/deps.ts';
import { createActivities } from '../../activities/index.ts';
import { nodePool } from '../../activities/nodes/node-pool.ts';
import type { Plan } from '../../dsl/model/plan.ts';
import type { SuiteResult } from '../../dsl/model/result.ts';
import { WORKFLOW } from '../../dsl/model/workflow-io.ts';
import type { Activities, RunInfo } from '../../dsl/model/workflow-io.ts';
import { suiteWorkflowId } from '../../workflows/base/ids.ts';
import { dataConverter } from '../../worker/data-converter.ts';
import type { TestServer } from './temporal-server.ts';
import { startTemporalServer } from './temporal-server.ts';

/** Server, worker with the real workflows and activities, and a folder whose files tell what the commands did. */
export interface Engine {
  readonly dir: string;
  readonly client: Client;
  readonly server: TestServer;
  /** Starts a run; commands see the folder as `$WORK`. */
  start(plan: Plan, options?: Partial<RunInfo>): Promise<Run>;
  /** Starts and waits; rejects after `withinMs`, default 40,000. */
  run(plan: Plan, withinMs?: number): Promise<Finished>;
  file(name: string): string;
  read(name: string): string;
  /** Events of a workflow's latest run. */
  history(workflowId: string): Promise<temporal.api.history.v1.IHistoryEvent[]>;
  close(): Promise<void>;
}

export interface Run {
  readonly id: string;
  readonly info: RunInfo;
  readonly handle: WorkflowHandle;
  result(withinMs?: number): Promise<SuiteResult>;
  /** Handle of an attempt of a testcase. */
  testcase(name: string, attempt?: number): WorkflowHandle;
  fault(name: string, step: string, attempt?: number): WorkflowHandle;
}

export interface Finished {
  readonly run: Run;
  readonly result: SuiteResult;
}

let runtime = false;
let bundle: Promise<{ readonly code: string }> | undefined;

/** The workflows, bundled once per test process. */
export function workflowBundle(): Promise<{ readonly code: string }> {
  bundle ??= bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../../workflows/index.ts', import.meta.url)),
    logger: new DefaultLogger('ERROR'),
  });
  return bundle;
}

export function silenceRuntime(): void {
  if (runtime) return;
  runtime = true;
  const level = process.env['ONETEAR_TEST_LOG'] ? 'WARN' : 'ERROR';
  Runtime.install({
    logger: new DefaultLogger(level),
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: level, other: level }) } },
    shutdownSignals: [],
  });
}

export interface EngineOptions {
  /** 0 makes every workflow task a replay from the first event. */
  readonly maxCachedWorkflows?: number;
  /** Puts failures of our own in front of the real activities. */
  readonly wrap?: (activities: Activities) => Partial<Activities>;
}

export async function startEngine({ maxCachedWorkflows = 100, wrap }: EngineOptions = {}): Promise<Engine> {
  silenceRuntime();
  const dir = mkdtempSync(join(tmpdir(), 'onetear-engine-'));
  const [server, code] = await Promise.all([startTemporalServer(), workflowBundle()]);
  const connection = await NativeConnection.connect({ address: server.address });
  const clientConnection = await Connection.connect({ address: server.address });
  const client = new Client({ connection: clientConnection, dataConverter, identity: 'test client' });
  const deps: ActivityDeps = {
    homeDir: join(dir, 'home'),
    storeDir: join(dir, 'store'),
    hostId: 'test',
    log: { debug() {}, info() {}, warn() {}, error() {} },
    nodes: { shell: ['/bin/sh'], jobRoot: dir },
    client: new Client({ connection, dataConverter }),
  } as ActivityDeps;
  const real = createActivities(deps);
  const common = {
    connection,
    identity: 'test worker',
    dataConverter,
    activities: { ...real, ...wrap?.(real) },
    shutdownForceTime: 5_000,
    maxHeartbeatThrottleInterval: 500,
    defaultHeartbeatThrottleInterval: 500,
  };
  const workers = [
    await Worker.create({
      ...common,
      taskQueue: 'host',
      workflowBundle: code,
      maxCachedWorkflows,
      stickyQueueScheduleToStartTimeout: 2_000,
    }),
    await Worker.create({ ...common, taskQueue: 'control' }),
  ];
  const running = workers.map((worker) => worker.run());
  let runs = 0;

  const start = async (plan: Plan, options: Partial<RunInfo> = {}): Promise<Run> => {
    runs++;
    const info: RunInfo = {
      run: `r${runs}`,
      suite: plan.suite.name,
      slug: plan.suite.slug,
      seed: plan.seed,
      queues: { main: 'host', host: 'host', control: 'control' },
      suiteDir: dir,
      resultsDir: join(dir, `results-${runs}`),
      engine: { version: '0.0.0', build: 'test' },
      namespace: server.namespace,
      ...options,
    };
    const withWork: Plan = { ...plan, context: { ...plan.context, env: { ...plan.context.env, WORK: dir } } };
    const id = suiteWorkflowId(info);
    const handle = await client.workflow.start(WORKFLOW.suite, {
      workflowId: id,
      taskQueue: 'host',
      args: [{ v: 1, run: info, plan: withWork }],
      workflowTaskTimeout: 5_000,
    });
    const { slug } = await import('../../dsl/expand/slug.ts');
    return {
      id,
      info,
      handle,
      result: (withinMs = 40_000) => within(handle, withinMs),
      testcase: (name, attempt = 1) => client.workflow.getHandle(`${id}/c/${slug(name)}/a${attempt}`),
      fault: (name, step, attempt = 1) => client.workflow.getHandle(`onetear/fault/${info.run}/${slug(name)}/a${attempt}/${slug(step)}`),
    };
  };

  return {
    dir,
    client,
    server,
    start,
    async run(plan, withinMs) {
      const run = await start(plan);
      return { run, result: await run.result(withinMs) };
    },
    file: (name) => join(dir, name),
    read: (name) => readFileSync(join(dir, name), 'utf8'),
    async history(workflowId) {
      const history = await client.workflow.getHandle(workflowId).fetchHistory();
      return history.events ?? [];
    },
    async close() {
      for (const worker of workers) worker.shutdown();
      await Promise.allSettled(running);
      nodePool(deps).close();
      await clientConnection.close();
      await connection.close();
      await server.stop();
      rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Never waits without an end: a mistake in workflow code retries its task for ever. */
async function within(handle: WorkflowHandle, ms: number): Promise<SuiteResult> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      void describeStuck(handle).then((text) => reject(new Error(`${handle.workflowId} is not over after ${ms} ms: ${text}`)));
    }, ms);
  });
  try {
    return await Promise.race<SuiteResult>([handle.result(), late]);
  } catch (error) {
    if (error instanceof WorkflowFailedError && error.cause) throw error.cause;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function describeStuck(handle: WorkflowHandle): Promise<string> {
  try {
    const description = await handle.describe();
    const pending = description.raw.pendingActivities?.map((each) => `${each.activityId}: ${each.lastFailure?.message ?? 'running'}`);
    const children = description.raw.pendingChildren?.map((each) => each.workflowId);
    return JSON.stringify({ task: description.raw.pendingWorkflowTask?.attempt, pending, children });
  } catch (error) {
    return String(error);
  }
}
