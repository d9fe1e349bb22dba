import type { HomePaths } from '../activities/store/home-paths.ts';
import { EXIT } from '../report/exit-code.ts';
import { CliError } from './cli/cli-error.ts';
import { allRuns } from './runs-index.ts';

/**
 * Ids of the testcases that did not pass in the last finished run of this suite (`--lf`). Throws exit 5 when all of them did
 * or it never ran: running everything instead would surprise those who inject faults.
 */
export async function failedTestcases(suite: string, home: HomePaths): Promise<ReadonlySet<string>> {
  const last = (await allRuns(home)).find((record) => record.suite === suite && record.finished !== undefined);
  if (!last?.finished) throw new CliError('CLI_NOTHING_SELECTED', EXIT.nothingSelected, `--lf: suite ${suite} has no finished run yet`);
  const failed = last.finished.testcases.filter(({ verdict }) => verdict !== 'passed' && verdict !== 'skipped').map(({ id }) => id);
  if (failed.length === 0) throw new CliError('CLI_NOTHING_SELECTED', EXIT.nothingSelected, `--lf: nothing went wrong in run ${last.run}`);
  return new Set(failed);
}
