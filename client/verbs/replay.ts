import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { runFolder } from '../../activities/store/run-store.ts';
import { EXIT } from '../../report/exit-code.ts';
import type { RecordedHistory } from '../../worker/replay-histories.ts';
import { usageError } from '../cli/cli-error.ts';
import type { CliIo } from '../cli/io.ts';
import { homeOf } from '../home.ts';
import { readRun } from '../runs-index.ts';

/**
 * `onetear replay RUN|FILE`: replays archived histories against the workflow code of this build. Exit 0 when all fit, 3 when one does
 * not: such a run could not go on under this build.
 */
export async function replay(name: string, io: CliIo): Promise<number> {
  const files = await historyFiles(name, io);
  // The native part of the worker loads only here.
  const { replayHistories } = await import('../../worker/replay-histories.ts');
  let bad = 0;
  for await (const { workflowId, problem } of replayHistories(read(files))) {
    io.out(problem === undefined ? `ok     ${workflowId}\n` : `FAILED ${workflowId}: ${problem}\n`);
    if (problem !== undefined) bad += 1;
  }
  io.err(`${files.length - bad} replayed, ${bad} failed\n`);
  return bad === 0 ? EXIT.passed : EXIT.engineBug;
}

async function historyFiles(name: string, io: CliIo): Promise<readonly string[]> {
  const file = resolve(io.cwd, name);
  if (/\.json(\.gz)?$/.test(name) && existsSync(file)) return [file];
  const home = homeOf(io);
  const record = await readRun(home, name);
  const { historiesDir } = runFolder(home, record.run);
  const names = existsSync(historiesDir) ? (await readdir(historiesDir)).filter((entry) => entry.endsWith('.json.gz')).toSorted() : [];
  if (names.length === 0)
    throw usageError('CLI_NO_HISTORIES', `run ${record.run} has no archived histories: they are written when its testcases end`);
  return names.map((entry) => join(historiesDir, entry));
}

async function* read(files: readonly string[]): AsyncGenerator<RecordedHistory> {
  for (const file of files) {
    const bytes = await readFile(file);
    const json = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
    yield { workflowId: basename(file).replace(/\.json(\.gz)?$/, ''), json };
  }
}
