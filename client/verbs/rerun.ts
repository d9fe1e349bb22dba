import { join } from 'node:path';
import { EXIT } from '../../report/exit-code.ts';
import { CliError, notSupportedYet } from '../cli/cli-error.ts';
import type { CliIo } from '../cli/io.ts';
import { homeOf } from '../home.ts';
import { drawSeed, loadValidPlan } from '../load-plan.ts';
import { readRunRequest } from '../run-request.ts';
import { readRun } from '../runs-index.ts';
import { startLoaded, type StartOptions } from './start.ts';

/** `onetear rerun RUN [--failed] [--same-seed]`: the suite text as it was then, with the options it was started with. */
export async function rerun(
  name: string,
  options: StartOptions & { readonly failed?: true; readonly sameSeed?: true; readonly from?: string },
  io: CliIo,
): Promise<number> {
  if (options.from !== undefined) throw notSupportedYet('onetear rerun --from');
  const home = homeOf(io);
  const record = await readRun(home, name);
  const request = readRunRequest(join(home.runsDir, record.run));
  const only = options.failed ? badTestcases(record) : undefined;
  const merged: StartOptions = { ...request.options, ...options };
  const loaded = await loadValidPlan(request.file, merged, io, {
    execute: true,
    seed: options.sameSeed ? request.seed : drawSeed(),
    texts: { suiteDir: request.suiteDir, texts: request.texts },
    ...(only === undefined ? {} : { only }),
  });
  return startLoaded(request.file, loaded, merged, io);
}

function badTestcases(record: Awaited<ReturnType<typeof readRun>>): ReadonlySet<string> {
  const bad = record.finished?.testcases.filter(({ verdict }) => verdict !== 'passed' && verdict !== 'skipped').map(({ id }) => id) ?? [];
  if (bad.length === 0) throw new CliError('CLI_NOTHING_SELECTED', EXIT.nothingSelected, `nothing went wrong in run ${record.run}`);
  return new Set(bad);
}
