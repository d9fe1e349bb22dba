import type { RunEvent } from '../dsl/model/events.ts';
import { nothingSelected } from './cli/cli-error.ts';
import type { CliIo } from './cli/io.ts';
import type { ConnectionOptions, SuiteOptions } from './cli/options.ts';
import { newRunId } from './cli/run-id.ts';
import { followRun } from './follow/follow-run.ts';
import type { TailedWorkflow } from './follow/history-tail.ts';
import { createServerLink, type LinkState } from './follow/server-link.ts';
import { homeOf } from './home.ts';
import { launchRun } from './launch-run.ts';
import { readSecrets, withoutSecrets } from './run-secrets.ts';
import { drawSeed, loadValidPlan } from './load-plan.ts';
import { openServer, reviveKeeper, type OpenServer, type ServerChoice } from './open-server.ts';
import { recordedEvents } from './recorded-events.ts';
import { rootOf } from './root-workflow.ts';
import { readRun } from './runs-index.ts';

/** Where a program that is no command line stands. All optional: default is the process around it. */
export interface ApiContext {
  readonly env?: { readonly [name: string]: string | undefined };
  readonly cwd?: string;
  /** What people should know: an installation that takes a while, a server that is away. */
  readonly onMessage?: (text: string) => void;
}

export interface StartSuiteOptions extends SuiteOptions, ConnectionOptions {
  /** Results folder; default `onetear-results/<run>`. */
  readonly results?: string;
  /** False = start no worker here. */
  readonly worker?: boolean;
  /** `NAME=VALUE` lines: values of the suite's secrets; else those of `env`. */
  readonly secretsFile?: string;
}

/** A run that goes on whether or not somebody looks. */
export interface RunHandle {
  readonly run: string;
  readonly workflowId: string;
  /** Absolute results folder. */
  readonly results: string;
  /** The events of suite-language §13 from the first; ends after `run_finished` or `error`, or throws the signal's reason. */
  readonly events: (signal?: AbortSignal) => AsyncGenerator<RunEvent>;
  /** Ends the run: faults are recovered, after hooks run. Returns when that was asked for; the end is in the events. */
  readonly cancel: () => Promise<void>;
  /** Gives the connection back. The run goes on. */
  readonly close: () => Promise<void>;
}

/**
 * Starts a suite as `onetear start` does. Throws an error with a `code` (and `exit`, `diagnostics`) for an invalid suite (4), nothing
 * selected (5) or a server that cannot be had.
 */
export async function startSuite(file: string, options: StartSuiteOptions = {}, context: ApiContext = {}): Promise<RunHandle> {
  const io = apiIo(context);
  const onMessage = context.onMessage ?? ignore;
  const loaded = await loadValidPlan(file, options, io, { execute: true, seed: options.seed ?? drawSeed() });
  if (loaded.plan.cells.length === 0) throw nothingSelected(file);
  const choice = { ...options, worker: options.worker !== false };
  const secrets = readSecrets(loaded.plan.secrets, options.secretsFile, io);
  const server = await openServer(choice, withoutSecrets(io, loaded.plan.secrets), onMessage);
  const run = newRunId();
  const { info, root } = await launchRun({ run, file, loaded, options, server, secrets }, io);
  return handleOf(run, info.resultsDir, root, server, choice, io, onMessage);
}

/** A run that was started before: by id, unique prefix or `last`. */
export async function openRun(name: string, options: ConnectionOptions = {}, context: ApiContext = {}): Promise<RunHandle> {
  const io = apiIo(context);
  const onMessage = context.onMessage ?? ignore;
  const record = await readRun(homeOf(io), name);
  const recorded = record.status === 'running' ? undefined : recordedEvents(record.results);
  if (recorded) {
    return {
      run: record.run,
      workflowId: record.workflowId,
      results: record.results,
      events: async function* events() {
        yield* recorded.events;
      },
      cancel: async () => undefined,
      close: async () => undefined,
    };
  }
  const choice = { ...options, worker: 'ignore' } as const;
  const server = await openServer(choice, io, onMessage);
  return handleOf(record.run, record.results, await rootOf(server, record), server, choice, io, onMessage);
}

function handleOf(
  run: string,
  results: string,
  root: TailedWorkflow,
  server: OpenServer,
  choice: ServerChoice,
  io: CliIo,
  onMessage: (text: string) => void,
): RunHandle {
  const life = new AbortController();
  const link = createServerLink(server, {
    reopen: () => openServer(choice, io, ignore),
    keepAlive: () => reviveKeeper(choice, io),
    onState: ({ connected }: LinkState) => onMessage(connected ? 'connected again' : 'the server is away, the run continues'),
    signal: life.signal,
  });
  return {
    run,
    workflowId: root.workflowId,
    results,
    events: (signal) => followRun(link, server.converter, root, signal ? AbortSignal.any([signal, life.signal]) : life.signal, onMessage),
    cancel: () => link.call(10_000, life.signal, ({ client }) => client.workflow.getHandle(root.workflowId).cancel().then(ignore)),
    close: async () => {
      life.abort(new Error('the run handle was closed'));
      await link.server().connection.close();
    },
  };
}

function apiIo({ env = process.env, cwd = process.cwd(), onMessage = ignore }: ApiContext): CliIo {
  return { out: onMessage, err: onMessage, env, cwd, stdoutIsTty: false, stderrIsTty: false, size: () => ({ columns: 80, rows: 24 }) };
}

function ignore(): void {
  // Nobody wants to know.
}
