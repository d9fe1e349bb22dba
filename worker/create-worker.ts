import { readFileSync } from 'node:fs';
import path from 'node:path';
import { NativeConnection, Worker } from '@temporalio/worker';
import type { WorkerOptions } from '@temporalio/worker';
import type { ActivityDeps } from '../activities/deps.ts';
import { createActivities } from '../activities/index.ts';
import { readHostId } from '../activities/store/host-id.ts';
import { homePaths } from '../activities/store/home-paths.ts';
import type { BuildInfo } from './build-info.ts';
import { programDir } from './build-info.ts';
import type { ConnectionSettings } from './connection-settings.ts';
import { dataConverterFor } from './data-converter.ts';
import { type Encryption, fingerprintsOf } from './encryption-keys.ts';
import { logLine } from './json-log.ts';
import type { WorkerConfig } from './worker-config.ts';
import { workerIdentity } from './worker-identity.ts';

/** Slots of one queue. Waiting for a command costs memory only, so a run's own `max_parallel` is the limit that counts. */
const ACTIVITY_SLOTS = 500;

/** A cache that outgrows the workflow thread's heap kills the worker. */
const CACHED_WORKFLOWS = 300;

/**
 * The SDK takes a stack trace of every promise that workflow code makes, for its `__stack_trace` query: a quarter of the worker's time per step.
 * Without frames it costs nothing. A stack is not lost: `onetear replay RUN` runs the same history with the plain bundle and shows it.
 * In front of the bundle because the sandbox freezes `Error` afterwards; on its first line so that places in the bundle stay right.
 */
const WITHOUT_STACKS = 'Error.stackTraceLimit = 0;';

/** Read once: a running worker never loads a file lazily after its start, the install folder may be replaced under it. */
export function readWorkflowBundle(encryption: Encryption | undefined): string {
  const code = WITHOUT_STACKS + readFileSync(path.join(programDir(), 'workflow-bundle.js'), 'utf8');
  return encryption === undefined ? code : encodeFailures(code);
}

/** Turns the texts of failures into payloads; see workflows/failure-converter.ts. */
export function encodeFailures(code: string): string {
  const encoded = code.replaceAll('onetear:failure-texts=clear', 'onetear:failure-texts=encoded');
  if (encoded === code) throw new Error('the workflow bundle of this build cannot encode the texts of failures');
  return encoded;
}

/** Connects and makes sure that the namespace answers. Rejects when it does not; the connection is closed then. */
export async function connectWorker(settings: ConnectionSettings): Promise<NativeConnection> {
  const connection = await NativeConnection.connect(settings.connectionOptions);
  try {
    await connection.workflowService.describeNamespace({ namespace: settings.namespace });
    return connection;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** What the activities of this process share. */
export function activityDeps(config: WorkerConfig, server: { readonly address: string; readonly namespace: string }): ActivityDeps {
  const paths = homePaths(config.home);
  return {
    homeDir: paths.home,
    storeDir: process.env['ONETEAR_STORE'] || paths.storeDir,
    hostId: readHostId(paths.hostIdFile),
    log: {
      debug: (message, fields) => logLine('DEBUG', message, fields),
      info: (message, fields) => logLine('INFO', message, fields),
      warn: (message, fields) => logLine('WARN', message, fields),
      error: (message, fields) => logLine('ERROR', message, fields),
    },
    secrets: {
      env: process.env,
      ...(config.secretsFile === undefined ? {} : { file: config.secretsFile }),
      ...(config.secretsProgram === undefined ? {} : { program: config.secretsProgram }),
    },
    server: { queue: config.queues.main, address: server.address, namespace: server.namespace },
  };
}

/**
 * The workers of one process on one connection: main queue (workflows and activities), host queue (activities) unless it is the same, and
 * control queue (activities) with slots of its own, so that steps can never starve recovery.
 * After a rejection the process must end: workers made before it hold the connection.
 */
export async function createWorkers(
  config: WorkerConfig,
  deps: ActivityDeps,
  connection: NativeConnection,
  namespace: string,
  build: BuildInfo,
  workflowBundle: string,
  encryption: Encryption | undefined,
): Promise<readonly Worker[]> {
  const { hostId } = deps;
  const common: WorkerOptions = {
    connection,
    namespace,
    taskQueue: config.queues.main,
    activities: { ...createActivities(deps) },
    identity: workerIdentity({ build: build.build, hostId, pid: process.pid, keys: fingerprintsOf(encryption) }),
    dataConverter: dataConverterFor(encryption, 'worker'),
    maxConcurrentActivityTaskExecutions: ACTIVITY_SLOTS,
    // Activities only detach from their commands, which takes no time: there is nothing to wait for.
    shutdownGraceTime: 0,
    // Without it one hung activity keeps the process for ever.
    shutdownForceTime: 20_000,
    // A cancel reaches a running command with its next heartbeat; the default holds those back for 4 s.
    maxHeartbeatThrottleInterval: 1_000,
  };
  const workers = [
    await Worker.create({
      ...common,
      workflowBundle: { code: workflowBundle },
      maxCachedWorkflows: CACHED_WORKFLOWS,
      // What a workflow waits after kill -9 of its worker before another one gets its next task.
      stickyQueueScheduleToStartTimeout: 2000,
      // Eager dispatch ignores balance between workers: wide on a single host, the default on a fleet.
      maxEagerActivityReservationsPerWorkflowTask: config.embedded ? 100 : 3,
    }),
  ];
  if (config.queues.host !== config.queues.main) workers.push(await Worker.create({ ...common, taskQueue: config.queues.host }));
  workers.push(await Worker.create({ ...common, taskQueue: config.queues.control }));
  return workers;
}
