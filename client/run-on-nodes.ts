import { join } from 'node:path';
import { DEFAULT_MAX_PARALLEL, NO_HOOKS, NO_RETRY } from '../dsl/expand/command-spec.ts';
import type { RunEvent } from '../dsl/model/events.ts';
import type { CommandDefinition, ParamsDefinition, Suite } from '../dsl/model/suite.ts';
import type { CliIo } from './cli/io.ts';
import type { ConnectionOptions, SuiteOptions } from './cli/options.ts';
import { homeOf } from './home.ts';
import { drawSeed, loadValidPlan } from './load-plan.ts';
import type { Reporter } from './render/reporter.ts';
import { startLoaded } from './verbs/start.ts';

/** Id of the step that a run of one command has. */
export const STEP = 'run';

type StepFinished = Extract<RunEvent, { type: 'step_finished' }>;

export interface OneCommand {
  /** Name of the run's suite and testcase: `exec`, `nodes-check`. */
  readonly name: string;
  readonly command: Omit<CommandDefinition, 'inputs' | 'outputs' | 'hooks' | 'location'>;
}

/** Options that a run of one command takes from the command line. */
export type OneCommandOptions = SuiteOptions & ConnectionOptions & { readonly secretsFile?: string; readonly sshConfig?: string };

export interface OneCommandEnd {
  readonly exit: number;
  readonly run: string;
  readonly workflowId: string | undefined;
  /** Ends of the run's steps, those of roles among them, in their order. */
  readonly steps: readonly StepFinished[];
  readonly finished: Extract<RunEvent, { type: 'run_finished' | 'error' }> | undefined;
}

/**
 * Runs one command on nodes of a suite with the same engine as a test: nodes, groups, roles, environment and defaults are the suite's, its
 * testcases and hooks are left out. The record lies under `$ONETEAR_HOME` with its results; `rerun` refuses it.
 */
export async function runOnNodes(
  file: string,
  wanted: OneCommand,
  options: OneCommandOptions,
  io: CliIo,
  onStep: (step: StepFinished) => void = () => undefined,
): Promise<OneCommandEnd> {
  const loaded = await loadValidPlan(file, options, io, {
    execute: true,
    seed: options.seed ?? drawSeed(),
    change: (suite) => oneCommandSuite(suite, wanted),
  });
  const seen: { run: string; workflowId: string | undefined; steps: StepFinished[]; finished: OneCommandEnd['finished'] } = {
    run: '',
    workflowId: undefined,
    steps: [],
    finished: undefined,
  };
  const reporter = (): Reporter => ({
    event(event) {
      if (event.type === 'run_started') seen.workflowId = event.workflow_id;
      if (event.type === 'run_finished' || event.type === 'error') seen.finished = event;
      if (event.type === 'error') io.err(`error: ${event.message}\n`);
      if (event.type !== 'step_finished') return;
      seen.steps.push(event);
      onStep(event);
    },
    link: ({ connected }) => io.err(connected ? 'connected again\n' : 'the server is away, the run continues\n'),
    note: (text) => io.err(`${text}\n`),
    close: () => undefined,
  });
  const exit = await startLoaded(file, loaded, options, io, {
    reporter,
    keepRequest: false,
    resultsOf: (run) => {
      seen.run = run;
      return join(homeOf(io).runsDir, run, 'results');
    },
  });
  return { exit, ...seen };
}

/** Nodes and roles of a suite around one command of our own. */
export function oneCommandSuite(suite: Suite, { name, command }: OneCommand): Suite {
  const location = { file: suite.file, line: 1, column: 1 };
  const { soak: _soak, schedule: _schedule, timeoutMs: _timeout, description: _description, ...rest } = suite;
  return {
    ...rest,
    name,
    tags: [],
    context: { ...suite.context, params: constantParams(suite.context.params) },
    commands: [],
    chaos: [],
    probes: [],
    hooks: NO_HOOKS,
    requires: [],
    strategy: { maxParallel: 1, failFast: false },
    testcases: [
      {
        name,
        tags: [],
        steps: [
          {
            kind: 'inline',
            id: STEP,
            continueOnError: false,
            command: { maxParallel: DEFAULT_MAX_PARALLEL, ...command, inputs: {}, outputs: {}, hooks: NO_HOOKS, location },
            location,
          },
        ],
        hooks: NO_HOOKS,
        requires: [],
        env: {},
        bind: {},
        retry: NO_RETRY,
        needs: [],
        locks: [],
        location,
      },
    ],
  };
}

/** One command has one cell: of every axis the first value, which `--param` may replace. */
function constantParams({ axes, constants }: ParamsDefinition): ParamsDefinition {
  const first = axes.flatMap(({ name, values }) => (values[0] === undefined ? [] : [[name, values[0]] as const]));
  return { axes: [], constants: { ...Object.fromEntries(first), ...constants } };
}
