import type { RunRecord } from '../../dsl/model/record.ts';
import { EXIT } from '../../report/exit-code.ts';
import { isoTime } from '../../report/text.ts';
import type { CliIo } from '../cli/io.ts';
import { homeOf } from '../home.ts';
import { columns, cutColumns, padColumns, shortDuration, visibleLine } from '../../report/terminal/terminal-text.ts';
import { clockText } from '../render/clock-text.ts';
import { allRuns } from '../runs-index.ts';

/** `onetear runs [--json]`: what ran, newest first. Reads records only. */
export async function runs(options: { readonly json?: true }, io: CliIo): Promise<number> {
  const records = await allRuns(homeOf(io));
  if (options.json) io.out(`${JSON.stringify({ v: 1, runs: records.map(toJson) }, null, 2)}\n`);
  else if (records.length === 0) io.err('No runs yet. Start one: onetear start suite.yaml\n');
  else io.out(toTable(records));
  return EXIT.passed;
}

function toJson(record: RunRecord): object {
  return {
    run: record.run,
    suite: record.suite,
    status: record.status,
    verdict: record.finished?.verdict ?? null,
    recovery: record.finished?.recovery ?? null,
    started: isoTime(record.startedAt),
    finished: record.finishedAt === undefined ? null : isoTime(record.finishedAt),
  };
}

function toTable(records: readonly RunRecord[]): string {
  const rows = [['RUN', 'SUITE', 'VERDICT', 'STARTED', 'TOOK'], ...records.map(toRow)];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => columns(row[column] ?? ''))));
  const pad = (cell: string, width: number | undefined): string => (width === undefined ? cell : padColumns(cell, width));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => pad(cell, widths[column]))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

function toRow({ run, suite, status, finished, startedAt, finishedAt }: RunRecord): string[] {
  const owed = finished?.recovery === 'owed' ? ', recovery owed' : '';
  const verdict =
    status === 'running' ? 'running' : `${finished?.verdict ?? status}${status === 'cancelled' && finished ? ' (cancelled)' : ''}${owed}`;
  const took = finishedAt === undefined ? `${clockText(Date.now() - startedAt)} so far` : shortDuration(finishedAt - startedAt);
  return [run, cutColumns(visibleLine(suite), 40), verdict, isoTime(startedAt).replace('T', ' ').slice(0, 19), took];
}
