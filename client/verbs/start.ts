import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { readRunRecord } from '../../activities/store/run-store.ts';
import { notSupportedYet, nothingSelected } from '../cli/cli-error.ts';
import type { CliIo } from '../cli/io.ts';
import type { ConnectionOptions, OutputMode, SuiteOptions } from '../cli/options.ts';
import { newRunId } from '../cli/run-id.ts';
import { detachHint, followToEnd } from '../follow-to-end.ts';
import { holdInterrupts, isCi } from '../follow/interrupts.ts';
import { homeOf } from '../home.ts';
import { drawSeed, loadValidPlan, type LoadedPlan } from '../load-plan.ts';
import { openServer, reviveKeeper } from '../open-server.ts';
import { createReporter, outputMode } from '../render/output-mode.ts';
import type { Reporter } from '../render/reporter.ts';
import { whereInPlan } from '../render/where-in-plan.ts';
import { launchRun } from '../launch-run.ts';
import { readSecrets, withoutSecrets } from '../run-secrets.ts';
import type { Plan } from '../../dsl/model/plan.ts';
import { runStartedEvent } from '../../report/event-builders.ts';
import { EXIT } from '../../report/exit-code.ts';
import { createJsonReporter } from '../render/json-reporter.ts';

export interface StartOptions extends SuiteOptions, ConnectionOptions {
  readonly detach?: true;
  readonly results?: string;
  readonly output?: OutputMode;
  /** A duration, or false for `--no-soak`. */
  readonly soak?: string | false;
  readonly secretsFile?: string;
  readonly sshConfig?: string;
  readonly holdOnFailure?: string;
  /** False for `--no-cache`. */
  readonly cache?: boolean;
  /** False for `--no-worker`. */
  readonly worker?: boolean;
  readonly color?: boolean | undefined;
}

/** `onetear start SUITE`: load, compile, start, follow. */
export async function start(file: string, options: StartOptions, io: CliIo): Promise<number> {
  refuseUnsupported(options, io);
  const loaded = await loadValidPlan(file, options, io, { execute: true, seed: options.seed ?? drawSeed() });
  return startLoaded(file, loaded, options, io);
}

/** How a run is started that is no suite of somebody's own. */
export interface StartHow {
  /** Shows it in place of the usual reporter. */
  readonly reporter?: (run: string) => Reporter;
  /** False = nobody can start it again by its id. */
  readonly keepRequest?: boolean;
  /** Absolute results folder. */
  readonly resultsOf?: (run: string) => string;
}

/** The second half of {@link start}, for suites that were loaded in another way. */
export async function startLoaded(
  file: string,
  loaded: LoadedPlan & { readonly plan: Plan },
  options: StartOptions,
  io: CliIo,
  how: StartHow = {},
): Promise<number> {
  if (loaded.plan.cells.length === 0) throw nothingSelected(file);
  const secrets = readSecrets(loaded.plan.secrets, options.secretsFile, io);
  const serverIo = withoutSecrets(io, loaded.plan.secrets);
  const run = newRunId();
  const choice = { ...options, worker: options.worker !== false };
  const progress = (text: string): void => io.err(`${text}\n`);
  const server = await openServer(choice, serverIo, progress);
  if (options.results !== undefined && existsSync(resolve(io.cwd, options.results, 'run.json')))
    progress(`the results in ${options.results} are replaced by those of this run; onetear report RUN makes the old ones again`);
  const releaseInterrupts = holdInterrupts();
  const { info, root, startedAt } = await launchRun(
    {
      run,
      file,
      loaded,
      options: how.resultsOf ? { ...options, results: how.resultsOf(run) } : options,
      server,
      secrets,
      ...(how.keepRequest === false && { keepRequest: false }),
    },
    io,
  );
  if (options.detach) {
    await server.connection.close();
    if (outputMode(options.output, io) === 'json') {
      createJsonReporter(run, io).event(runStartedEvent({ v: 1, run: info, plan: loaded.plan }, root.workflowId, root.runId, startedAt));
    } else {
      io.out(`${run}\n`);
      io.err(`${detachHint(run)}\n`);
    }
    return EXIT.passed;
  }
  return followToEnd({
    run,
    root,
    server,
    reopen: () => openServer(choice, serverIo, () => undefined),
    keepAlive: () => reviveKeeper(choice, serverIo),
    reporter: how.reporter?.(run) ?? createReporter(run, options, io, whereInPlan(loaded.plan)),
    resultsProblem: async () => (await readRunRecord(homeOf(io), run))?.resultsProblem,
    // Nobody comes back to a CI job: going on without it would only leave faults and processes behind.
    interrupts: isCi(io.env) ? 'cancel' : 'ask',
    releaseInterrupts,
  });
}

function refuseUnsupported(options: StartOptions, io: CliIo): void {
  if (typeof options.soak === 'string') throw notSupportedYet('start --soak');
  if (options.holdOnFailure !== undefined) throw notSupportedYet('start --hold-on-failure');
  if (options.cache === false) io.err('--no-cache changes nothing: this version caches no results\n');
}
