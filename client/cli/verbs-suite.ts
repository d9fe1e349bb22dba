import { addSelectionOptions, addSuiteOptions, type SuiteOptions } from './options.ts';
import { examples, type VerbContext } from './program.ts';

/** `validate`, `list`, `plan`, `schema`, `init`: no server, nothing is changed. */
export function addSuiteVerbs({ program, io, finish }: VerbContext): void {
  addSuiteOptions(program.command('validate <suite>'))
    .description('check a suite and show every mistake with its place')
    .option('--json', 'one JSON document: {v, valid, diagnostics}')
    .addHelpText('after', examples('validate suite.yaml', 'validate suite.yaml --json'))
    .action(async (suite: string, options: SuiteOptions & { json?: true }) =>
      finish((await import('../verbs/validate.ts')).validate(suite, options, io)),
    );

  addSelectionOptions(addSuiteOptions(program.command('list <suite>')))
    .description('the testcases that would run, one per matrix cell')
    .option('--json', 'one JSON document')
    .addHelpText('after', examples('list suite.yaml', "list suite.yaml -k 'failover and not slow'", 'list suite.yaml --json'))
    .action(async (suite: string, options: SuiteOptions & { json?: true }) =>
      finish((await import('../verbs/list.ts')).list(suite, options, io)),
    );

  addSelectionOptions(addSuiteOptions(program.command('plan <suite>')))
    .description('what would run, step by step, with defaults filled in')
    .option('--explain <name>', 'where the value of a parameter or variable comes from')
    .option('--json', 'one JSON document')
    .addHelpText('after', examples('plan suite.yaml', 'plan suite.yaml --explain PGPORT', 'plan suite.yaml --json'))
    .action(async (suite: string, options: SuiteOptions & { json?: true; explain?: string }) =>
      finish((await import('../verbs/plan.ts')).plan(suite, options, io)),
    );

  program
    .command('schema')
    .description('JSON Schema of the suite language, for editors')
    .addHelpText('after', examples('schema > suite.schema.json'))
    .action(async () => finish((await import('../verbs/schema.ts')).schema(io)));

  program
    .command('init [folder]')
    .description('write a first suite, ready to start')
    .option('--force', 'overwrite files that exist')
    .addHelpText('after', examples('init', 'init tests/failover'))
    .action(async (folder: string | undefined, options: { force?: true }) =>
      finish((await import('../verbs/init.ts')).init(folder, options, io)),
    );

  program
    .command('explain <code>')
    .description('what an error code means and what to do about it')
    .addHelpText('after', examples('explain SUITE_UNKNOWN_KEY'))
    .action(async (code: string) => finish((await import('../verbs/explain.ts')).explain(code, io)));
}
