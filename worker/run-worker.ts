import { Client } from '@temporalio/client';
import { DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import type { NativeConnection } from '@temporalio/worker';
import type { ActivityDeps } from '../activities/deps.ts';
import { secureHome } from '../activities/store/secure-home.ts';
import { sweepSecrets } from '../activities/secrets/sweep-secrets.ts';
import { answers } from './answers.ts';
import type { BuildInfo } from './build-info.ts';
import { readBuildInfo } from './build-info.ts';
import type { ConnectionSettings } from './connection-settings.ts';
import { connectionSettings } from './connection-settings.ts';
import { activityDeps, connectWorker, createWorkers, readWorkflowBundle } from './create-worker.ts';
import { type Encryption, fingerprintsOf, readEncryption } from './encryption-keys.ts';
import { logLine } from './json-log.ts';
import { ownIdentity } from './process-identity.ts';
import type { WorkerConfig } from './worker-config.ts';
import { writeWorkerState } from './worker-state.ts';

/** Short: a new server serves within half a second. */
const FIRST_RETRY_MS = 20;
const LAST_RETRY_MS = 5000;

/**
 * Hosts workflows and activities until SIGTERM or SIGINT; one per process, it owns Temporal's runtime.
 * If the process dies at any line: commands on nodes live on, the server gives every task to the next worker, which attaches to them.
 * Resolves after a requested stop. Rejects when a worker fails; the process must exit then, because the runtime is not reusable.
 */
export async function runWorker(config: WorkerConfig, onPolling: () => void = () => {}): Promise<void> {
  // Workflow code must see the same clock on every host.
  process.env['TZ'] = 'UTC';
  const build = readBuildInfo();
  const encryption = readEncryption(process.env);
  const workflowBundle = readWorkflowBundle(encryption);
  installRuntime();

  secureHome(config.home);
  const stop = stopRequest();
  const settings = connectionSettings(config, process.env);
  report(config, build, encryption, 'connecting');
  const connection = await connectUntil(stop, settings);
  if (connection === undefined) return;

  const deps = activityDeps(config, settings);
  const workers = await createWorkers(config, deps, connection, settings.namespace, build, workflowBundle, encryption);
  const running = Promise.all(workers.map(async (worker) => worker.run()));
  stop.then(() => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  }, logFailedStop);
  report(config, build, encryption, 'polling');
  logLine('INFO', 'worker polls', { build: build.build, queues: config.queues, pid: process.pid });
  onPolling();
  const stopSweeping = keepSweeping(deps, new Client({ connection, namespace: settings.namespace }));
  await running.finally(stopSweeping);
  await connection.close();
  logLine('INFO', 'worker stopped', { build: build.build, pid: process.pid });
}

const SWEEP_EVERY_MS = 10 * 60_000;
const FIRST_SWEEP_MS = 15_000;

/** Secrets of runs that ended without their last activity go some time later. Not at once: a start must not wait for it. */
function keepSweeping(deps: ActivityDeps, client: Client): () => void {
  let timer: NodeJS.Timeout;
  const sweep = async (): Promise<void> => {
    try {
      const removed = await sweepSecrets(deps, client);
      if (removed.length > 0) logLine('INFO', 'secrets of runs that are over removed', { runs: removed });
    } catch (error) {
      logLine('WARN', 'secrets of runs that are over were not swept', { error });
    }
    timer = setTimeout(() => void sweep(), SWEEP_EVERY_MS).unref();
  };
  timer = setTimeout(() => void sweep(), FIRST_SWEEP_MS).unref();
  return () => clearTimeout(timer);
}

function installRuntime(): void {
  Runtime.install({
    // Temporal's own handlers would shut down at once and without us.
    shutdownSignals: [],
    logger: new DefaultLogger('INFO', ({ level, message, meta }) => logLine(level, message, meta)),
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} } },
  });
}

/** Resolves at the first SIGTERM or SIGINT; later ones change nothing. */
function stopRequest(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        logLine('INFO', 'worker stops', { signal });
        resolve();
      });
    }
  });
}

function logFailedStop(error: unknown): void {
  logLine('ERROR', 'worker cannot stop', { error });
}

/** Tries for ever: a server that comes back later finds its worker waiting. `undefined` when it was told to stop meanwhile. */
async function connectUntil(stop: Promise<void>, settings: ConnectionSettings): Promise<NativeConnection | undefined> {
  const stopped = stop.then(() => undefined);
  let delayMs = FIRST_RETRY_MS;
  let lastReason = '';
  for (;;) {
    let reason = 'nothing listens there';
    // Asked first because it costs nothing: the client itself needs seconds to find out that a port is closed.
    const listening = await Promise.race([answers(settings.address, 2000), stopped]);
    if (listening === undefined) return undefined;
    if (listening) {
      const attempt = connectWorker(settings).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
      const outcome = await Promise.race([attempt, stopped]);
      if (outcome === undefined) return undefined;
      if (!(outcome instanceof Error)) return outcome;
      reason = outcome.message;
    }
    // Once per reason: a server may be away for days.
    if (reason !== lastReason) logLine('WARN', 'server not reachable, trying again', { address: settings.address, reason });
    lastReason = reason;
    const waited = await Promise.race([new Promise((resolve) => setTimeout(resolve, delayMs, true)), stopped]);
    if (waited === undefined) return undefined;
    delayMs = Math.min(delayMs * 1.5, LAST_RETRY_MS);
  }
}

function report(config: WorkerConfig, build: BuildInfo, encryption: Encryption | undefined, phase: 'connecting' | 'polling'): void {
  if (config.stateFile === undefined) return;
  writeWorkerState(config.stateFile, { v: 1, process: ownIdentity(), build: build.build, phase, keys: fingerprintsOf(encryption) });
}
