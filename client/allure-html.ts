import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { stripAnalytics } from '../report/strip-analytics.ts';
import { EXIT } from '../report/exit-code.ts';
import { CliError, usageError } from './cli/cli-error.ts';

/** Above this a single page does not open in time. */
const SINGLE_FILE_RESULTS = 1500;

/**
 * Generates the Allure page of a results folder with the `allure` package and takes out what would talk to others. Returns the path of
 * its index.html. Throws a CliError when there are no results or the generator fails.
 */
export async function generateAllureHtml(resultsDir: string, target: string): Promise<string> {
  const results = join(resultsDir, 'allure-results');
  if (!existsSync(results)) throw usageError('CLI_NO_RESULTS', `${results} does not exist`);
  const count = (await readdir(results)).filter((name) => name.endsWith('-result.json')).length;
  const single = count <= SINGLE_FILE_RESULTS ? ['--single-file'] : [];
  const cli = join(dirname(createRequire(import.meta.url).resolve('allure')), '..', 'cli.js');
  // The folder is given as working folder: as an argument it would be read as a glob pattern.
  const child = spawn(process.execPath, [cli, 'awesome', 'allure-results', '--output', resolve(target), ...single], {
    cwd: resultsDir,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ALLURE_NO_ANALYTICS: '1' },
  });
  const said: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => said.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  const index = join(resolve(target), 'index.html');
  if (code !== 0 || !existsSync(index)) {
    throw new CliError(
      'REPORT_FAILED',
      EXIT.engineBug,
      `the Allure report was not generated (exit ${code}): ${Buffer.concat(said).toString('utf8').trim()}`,
    );
  }
  await writeFile(index, stripAnalytics(await readFile(index, 'utf8')));
  return index;
}
