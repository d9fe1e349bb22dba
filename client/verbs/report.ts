import { accessSync, constants } from 'node:fs';
import { resolve } from 'node:path';
import { makeFolder } from '../../activities/store/make-folder.ts';
import { resultsProblem } from '../../activities/store/results-problem.ts';
import { writeReports } from '../../activities/store/write-reports.ts';
import { EXIT } from '../../report/exit-code.ts';
import { usageError } from '../cli/cli-error.ts';
import type { CliIo } from '../cli/io.ts';
import { homeOf } from '../home.ts';
import { readRun } from '../runs-index.ts';

/** `onetear report RUN [--html DIR]`: all reports again from the durable record; the server is not needed. */
export async function report(name: string, options: { readonly html?: string; readonly results?: string }, io: CliIo): Promise<number> {
  const home = homeOf(io);
  const record = await readRun(home, name);
  const { finished, finishedAt } = record;
  if (!finished || finishedAt === undefined) {
    throw usageError(
      'CLI_RUN_NOT_ENDED',
      `run ${record.run} has not ended: there is nothing to report yet`,
      `Follow it: onetear watch ${record.run}`,
    );
  }
  const resultsDir = resolve(io.cwd, options.results ?? record.results);
  const run = { ...record, finished, finishedAt };
  const { missing } = await writeReports({ home, storeDir: io.env['ONETEAR_STORE'] || home.storeDir, run, resultsDir }).catch(
    (error: unknown) => {
      const problem = resultsProblem(error, resultsDir);
      throw problem === undefined ? error : usageError('CLI_RESULTS_UNWRITABLE', `the results folder cannot be written: ${problem}`);
    },
  );
  for (const path of missing) io.err(`the whole output ${path} is not kept on this host\n`);
  io.out(`${resultsDir}\n`);
  if (options.html !== undefined) {
    htmlFolder(resolve(io.cwd, options.html));
    const { generateAllureHtml } = await import('../allure-html.ts');
    io.out(`${await generateAllureHtml(resultsDir, resolve(io.cwd, options.html))}\n`);
  }
  return EXIT.passed;
}

/** Made by us: the generator would try it for ever where nothing can be made. */
function htmlFolder(folder: string): void {
  try {
    makeFolder(folder);
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw usageError(
      'CLI_RESULTS_UNWRITABLE',
      `the folder ${folder} cannot be written: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
