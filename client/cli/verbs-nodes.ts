import type { ExecOptions } from '../verbs/exec.ts';
import type { OneCommandOptions } from '../run-on-nodes.ts';
import { addConnectionOptions, addSuiteOptions, parseCount, type SuiteOptions } from './options.ts';
import { examples, type VerbContext } from './program.ts';

/** `nodes` with its actions, and `exec`: the machines of a suite. */
export function addNodeVerbs({ program, io, finish }: VerbContext): void {
  const colour = (): boolean | undefined => program.opts<{ color?: boolean }>().color;
  const nodes = program
    .command('nodes')
    .description('the nodes of a suite: list them (nodes SUITE), or look at each of them (nodes check SUITE)')
    .addHelpText('after', examples('nodes suite.yaml', 'nodes suite.yaml --json', 'nodes check suite.yaml'));

  addSuiteOptions(nodes.command('list <suite>', { isDefault: true }))
    .description('all nodes with their addresses, groups and labels; contacts nobody')
    .option('--json', 'one JSON document: {v, suite, nodes, groups, roles}')
    .addHelpText('after', examples('nodes suite.yaml', 'nodes list suite.yaml --json'))
    .action(async (suite: string, options: SuiteOptions & { json?: true }) =>
      finish((await import('../verbs/nodes.ts')).listNodes(suite, options, io)),
    );

  addConnectionOptions(addSuiteOptions(nodes.command('check <suite>')))
    .description('is each node reachable, what are its shell, clock, tools and rights, which faults can it have')
    .option('--json', 'one JSON document: {v, suite, run, nodes}')
    .option('--secrets-file <file>', 'values of the suite’s secrets')
    .addHelpText('after', examples('nodes check suite.yaml', 'nodes check suite.yaml --json'))
    .action(async (suite: string, options: OneCommandOptions & { json?: true }) =>
      finish((await import('../verbs/nodes.ts')).checkNodes(suite, { ...options, color: colour() }, io)),
    );

  addConnectionOptions(addSuiteOptions(program.command('exec <selector> [command...]')))
    .description('run one command on the nodes that match; one word is shell text, several are a program and its arguments')
    .option('--suite <file>', 'whose nodes, groups, roles and environment (default: suite.yaml)')
    .option('--pick <which>', 'all, one, first, random, minority, majority, or a number of nodes')
    .option('--parallel <n>', 'nodes at a time; 1 stops at the first that fails', parseCount)
    .option('--timeout <duration>', 'limit on each node')
    .option('--user <name>', 'run as this user')
    .option('--sudo', 'run as root, through sudo')
    .option('--secrets-file <file>', 'values of the suite’s secrets')
    .option('--json', 'one JSON document: {v, run, verdict, reason, exit, results}')
    .addHelpText(
      'after',
      `${examples("exec db -- 'df -h /var | tail -1'", 'exec primary --suite pg.yaml -- psql -c "select now()"', "exec 'db:!primary' --parallel 1 -- systemctl restart postgresql")}

Exit: 0 passed · 1 failed on a node · 4 usage · 12 a node could not be reached or asked`,
    )
    .action(async (selector: string, command: readonly string[], options: ExecOptions) =>
      finish((await import('../verbs/exec.ts')).exec(selector, command, { ...options, color: colour() }, io)),
    );
}
