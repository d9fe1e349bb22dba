import { Option } from 'commander';
import type { StartOptions } from '../verbs/start.ts';
import type { WatchOptions } from '../verbs/watch.ts';
import { addConnectionOptions, addSelectionOptions, addSuiteOptions, outputOption, type ConnectionOptions } from './options.ts';
import { examples, type VerbContext } from './program.ts';

/** `start`, `watch`, `cancel`, `rerun`, `faults`, `recover`: verbs that talk to a running engine. */
export function addRunVerbs({ program, io, finish }: VerbContext): void {
  const colour = (): boolean | undefined => program.opts<{ color?: boolean }>().color;

  addConnectionOptions(addSelectionOptions(addSuiteOptions(program.command('start <suite>'))))
    .description('start a run and follow it')
    .option('--detach', 'print the run id and return; the run goes on')
    .option('--results <dir>', 'where the results go (default: onetear-results/<run>)')
    .addOption(outputOption())
    .option('--soak <duration>', 'repeat the suite for this long')
    .option('--no-soak', 'run once, although the suite says soak')
    .option('--secrets-file <file>', 'values of the suite’s secrets: NAME=VALUE lines (default: the environment)')
    .option('--ssh-config <file>', 'ssh configuration for ssh nodes')
    .option('--hold-on-failure <duration>', 'keep a failed testcase as it is for this long before recovery')
    .option('--no-cache', 'run cached commands anyway')
    .option('--no-worker', 'start no worker here: somebody else runs one')
    .addHelpText(
      'after',
      `${examples(
        'start suite.yaml',
        'start suite.yaml -k failover --seed 7 --param mode=sync',
        'start suite.yaml --detach',
        'start suite.yaml --output json > events.ndjson',
      )}

Secrets of the suite come from --secrets-file, else from the environment. ONETEAR_ENCRYPTION_KEY encrypts what is on the server (docs/secrets.md).
Ctrl-C detaches and the run goes on; a second one within 2 s cancels it. Under CI the first one cancels.
Exit: 0 passed · 1 failed · 2 cancelled or detached · 3 bug of ours · 4 usage · 5 nothing selected · 10 recovery owed · 11 no server · 12 broken or void`,
    )
    .action(async (suite: string, options: StartOptions) =>
      finish((await import('../verbs/start.ts')).start(suite, { ...options, color: colour() }, io)),
    );

  addConnectionOptions(program.command('watch [run]'))
    .description('follow a run from its first event and end with its exit code; Ctrl-C only detaches')
    .addOption(outputOption())
    .addHelpText('after', examples('watch', 'watch last', 'watch 20261124-0915 --output json'))
    .action(async (run: string | undefined, options: WatchOptions) =>
      finish((await import('../verbs/watch.ts')).watch(run ?? 'last', { ...options, color: colour() }, io)),
    );

  addConnectionOptions(program.command('cancel <run> [testcase]'))
    .description('end a run, or one testcase of it: faults are recovered, after hooks run')
    .option('--wait', 'wait until it has ended')
    .addHelpText('after', examples('cancel last', "cancel last 'failover[sync]'"))
    .action(async (run: string, testcase: string | undefined, options: ConnectionOptions & { wait?: true }) =>
      finish((await import('../verbs/cancel.ts')).cancel(run, testcase, options, io)),
    );

  addConnectionOptions(program.command('rerun <run>'))
    .description('run the same suite text with the same options again')
    .option('--failed', 'only testcases that did not pass')
    .option('--same-seed', 'the same random choices')
    .addOption(new Option('--from <step>').hideHelp())
    .option('--detach', 'print the run id and return')
    .option('--results <dir>', 'where the results go')
    .option('--secrets-file <file>', 'values of the suite’s secrets (default: the file of that run, then the environment)')
    .addOption(outputOption())
    .addHelpText('after', examples('rerun last', 'rerun last --failed --same-seed'))
    .action(async (run: string, options: StartOptions & { failed?: true; sameSeed?: true; from?: string }) =>
      finish((await import('../verbs/rerun.ts')).rerun(run, { ...options, color: colour() }, io)),
    );

  addConnectionOptions(program.command('faults'))
    .description('faults of all runs that are not confirmed undone')
    .option('--json', 'one JSON document: {v, faults}')
    .addOption(new Option('--library [name]').hideHelp())
    .addHelpText('after', examples('faults', 'faults --json'))
    .action(async (options: ConnectionOptions & { json?: true; library?: string | true }) =>
      finish((await import('../verbs/faults.ts')).faults(options, io)),
    );

  addConnectionOptions(program.command('recover [run]'))
    .description('undo live faults now and wait until that is confirmed')
    .option('--all', 'the faults of all runs')
    .option('--within <seconds>', 'give up waiting after this long', '60')
    .addHelpText('after', examples('recover last', 'recover --all'))
    .action(async (run: string | undefined, options: ConnectionOptions & { all?: true; within: string }) =>
      finish((await import('../verbs/recover.ts')).recover(run, options, io)),
    );
}
