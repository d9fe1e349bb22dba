import { Argument } from 'commander';
import { examples, type VerbContext } from './program.ts';

/** `server`, `worker`, `doctor`, `completion`: the processes and the machine. */
export function addHostVerbs({ program, io, finish }: VerbContext): void {
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
    .addHelpText('after', examples('completion bash > /etc/bash_completion.d/onetear', 'completion zsh > "${fpath[1]}/_onetear"', 'completion fish | source'))
    .action(async (shell: 'bash' | 'zsh' | 'fish') =>
      finish((await import('../verbs/completion.ts')).completion(shell, program, io)),
    );
}
