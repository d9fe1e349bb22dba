import type { Command } from 'commander';
import { notSupportedYet } from './cli-error.ts';

/** Verbs of the language reference that this version knows by name only. They end with exit 4, never silently. */
export const LATER_VERBS: readonly string[] = [
  'schedule',
  'diff',
  'export',
  'import',
  'shrink',
  'lint',
  'fmt',
  'pause',
  'resume',
  'skip',
  'extend',
  'ui',
];

/** Registers them hidden: they are named in one line at the end of the help. */
export function addLaterVerbs(program: Command): void {
  for (const verb of LATER_VERBS) {
    program
      .command(verb, { hidden: true })
      .description('not supported yet, see docs/roadmap.md')
      .allowUnknownOption()
      .allowExcessArguments()
      .action(() => {
        throw notSupportedYet(`onetear ${verb}`);
      });
  }
}
