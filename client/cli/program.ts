import { Command } from 'commander';
import { engineVersion } from './engine-version.ts';
import type { CliIo } from './io.ts';
import { addEvidenceVerbs } from './verbs-evidence.ts';
import { addHostVerbs } from './verbs-host.ts';
import { addLaterVerbs, LATER_VERBS } from './later-verbs.ts';
import { addNodeVerbs } from './verbs-nodes.ts';
import { addRunVerbs } from './verbs-run.ts';
import { addSuiteVerbs } from './verbs-suite.ts';

/** Where an action leaves the exit code of its verb. */
export interface Outcome {
  exit: number;
}

/** What registering a verb needs. Verbs load lazily: `validate` must not pay for the Temporal client. */
export interface VerbContext {
  readonly program: Command;
  readonly io: CliIo;
  /** Runs the action of a verb and keeps its exit code. */
  readonly finish: (exit: Promise<number> | number) => Promise<void>;
}

/** The command line of suite-language §15. */
export function createProgram(io: CliIo, outcome: Outcome): Command {
  const program = new Command('onetear')
    .description('Durable tests for clusters under failure: YAML suites run as Temporal workflows.')
    .version(engineVersion(), '-V, --version')
    .option('--color', 'colours even when this is not a terminal')
    .option('--no-color', 'no colours')
    .exitOverride()
    .configureOutput({ writeOut: io.out, writeErr: io.err })
    .showSuggestionAfterError(true)
    .helpCommand('help [verb]', 'help on a verb')
    .addHelpText(
      'after',
      `
Examples:
  $ onetear init                        a first suite in this folder
  $ onetear start suite.yaml            run it and follow
  $ onetear watch last                  follow the last run again
  $ onetear report last --html report   its Allure report

In the language, not in this version yet: ${LATER_VERBS.join(', ')}.`,
    );
  const context: VerbContext = {
    program,
    io,
    finish: async (exit) => {
      outcome.exit = await exit;
    },
  };
  addRunVerbs(context);
  addSuiteVerbs(context);
  addNodeVerbs(context);
  addEvidenceVerbs(context);
  addHostVerbs(context);
  addLaterVerbs(program);
  return program;
}

/** Examples under the options of `--help`; every verb has some. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ onetear ${line}`).join('\n')}`;
}
