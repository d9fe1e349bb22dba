import { Argument, Option } from 'commander';
import type { ServerAction } from '../verbs/server.ts';
import { addConnectionOptions, parseCount, type ConnectionOptions } from './options.ts';
import { examples, type VerbContext } from './program.ts';

/** `server`, `worker`, `doctor`, `completion`: the processes and the machine. */
export function addHostVerbs({ program, io, finish }: VerbContext): void {
  program
    .command('server')
    .description('the embedded Temporal server of this $ONETEAR_HOME, its worker and their keeper')
    .addArgument(new Argument('<action>').choices(['start', 'stop', 'status', 'logs', 'enable', 'backup']))
    .option('--json', 'one JSON document (start, status)')
    .option('--lines <n>', 'lines per log file (logs)', parseCount, 50)
    .option('--temporal-bin <file>', 'the temporal program to use (start)')
    .addHelpText('after', examples('server start', 'server status --json', 'server logs --lines 20', 'server stop'))
    .action(async (action: ServerAction, options: { json?: true; lines: number; temporalBin?: string }) =>
      finish((await import('../verbs/server.ts')).server(action, options, io)),
    );

  addConnectionOptions(program.command('worker'))
    .description('serve a Temporal cluster from this host, in the foreground')
    .addOption(new Option('--queue <name>', 'task queue of workflows and remote commands').default('onetear'))
    .option('--secrets-file <file>', 'values of secrets for runs that were started elsewhere: NAME=VALUE lines (default: the environment)')
    .option('--secrets-program <program>', 'a program that prints the value of the secret it is given the name of')
    .addHelpText(
      'after',
      examples(
        'worker --address temporal.example:7233',
        'worker --profile staging',
        'worker --profile staging --secrets-file /etc/onetear/secrets',
      ),
    )
    .action(async (options: ConnectionOptions & { queue: string; secretsFile?: string; secretsProgram?: string }) =>
      finish((await import('../verbs/worker.ts')).worker(options, io)),
    );

  program
    .command('doctor')
    .description('check what a run needs on this machine')
    .option('--json', 'one JSON document')
    .addHelpText('after', examples('doctor'))
    .action(async (options: { json?: true }) => finish((await import('../verbs/doctor.ts')).doctor(options, io)));

  program
    .command('completion')
    .description('completion script for a shell')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .addHelpText(
      'after',
      examples('completion bash > /etc/bash_completion.d/onetear', 'completion zsh > "${fpath[1]}/_onetear"', 'completion fish | source'),
    )
    .action(async (shell: 'bash' | 'zsh' | 'fish') => finish((await import('../verbs/completion.ts')).completion(shell, program, io)));
}
