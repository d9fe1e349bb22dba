import { examples, type VerbContext } from './program.ts';

/** `runs`, `show`, `report`, `replay`: what ran. They read records, not the server. */
export function addEvidenceVerbs({ program, io, finish }: VerbContext): void {
  const colour = (): boolean | undefined => program.opts<{ color?: boolean }>().color;

  program
    .command('runs')
    .description('runs of this $ONETEAR_HOME, newest first')
    .option('--json', 'one JSON document: {v, runs}')
    .addHelpText('after', examples('runs', 'runs --json'))
    .action(async (options: { json?: true }) => finish((await import('../verbs/runs.ts')).runs(options, io)));

  program
    .command('show [run]')
    .description('one run: verdicts, reasons, steps, faults')
    .option('--json', 'one JSON document')
    .option('--steps', 'the steps of all testcases, not only of those that did not pass')
    .addHelpText('after', examples('show', 'show last', 'show 20261124-0915 --json'))
    .action(async (run: string | undefined, options: { json?: true; steps?: true }) =>
      finish((await import('../verbs/show.ts')).show(run ?? 'last', { ...options, color: colour() }, io)),
    );

  program
    .command('report <run>')
    .description('rebuild the reports of a run from its durable record')
    .option('--html <dir>', 'an Allure report too')
    .option('--results <dir>', 'write the rebuilt results here (default: where the run wrote them)')
    .addHelpText('after', examples('report last', 'report last --html report'))
    .action(async (run: string, options: { html?: string; results?: string }) =>
      finish((await import('../verbs/report.ts')).report(run, options, io)),
    );

  program
    .command('replay <run>')
    .description('replay the archived histories of a run (or a history file) against the workflow code of this build')
    .addHelpText('after', examples('replay last', 'replay history.json'))
    .action(async (run: string) => finish((await import('../verbs/replay.ts')).replay(run, io)));
}
