import type { RunEvent } from '../../dsl/model/events.ts';
import type { RunRecord, TestcaseRecord } from '../../dsl/model/record.ts';
import { faultEvent, stepFinishedEvent } from '../../report/event-builders.ts';
import { EXIT } from '../../report/exit-code.ts';
import { VERDICT_STYLE, type Palette } from '../../report/terminal/palette.ts';
import { failureBlock, renderFailure, rerunLine } from '../../report/terminal/render-failure.ts';
import { renderSummary } from '../../report/terminal/render-summary.ts';
import { renderVerdict } from '../../report/terminal/render-testcase.ts';
import { cutColumns, shortDuration, visibleLine } from '../../report/terminal/terminal-text.ts';
import { isoTime } from '../../report/text.ts';
import type { CliIo } from '../cli/io.ts';
import { resultsNote } from '../follow-to-end.ts';
import { homeOf } from '../home.ts';
import { paletteFor } from '../render/palette.ts';
import { readRun, recordedTestcases, type RecordedTestcase } from '../runs-index.ts';

/** `onetear show RUN [--json]`: one run from its records. Exit 0 whatever its verdict was: showing it succeeded. */
export async function show(
  name: string,
  options: { readonly json?: true; readonly steps?: true; readonly color?: boolean | undefined },
  io: CliIo,
): Promise<number> {
  const home = homeOf(io);
  const record = await readRun(home, name);
  const testcases = await recordedTestcases(home, record);
  if (options.json) io.out(`${JSON.stringify(toJson(record, testcases), null, 2)}\n`);
  else io.out(toText(record, testcases, paletteFor('stdout', options.color, io), io.size().columns, options.steps === true));
  return EXIT.passed;
}

function toJson(record: RunRecord, testcases: readonly RecordedTestcase[]): object {
  const { finished } = record;
  return {
    v: 1,
    run: record.run,
    suite: record.suite,
    file: record.file,
    seed: record.seed,
    status: record.status,
    started: isoTime(record.startedAt),
    finished: record.finishedAt === undefined ? null : isoTime(record.finishedAt),
    verdict: finished?.verdict ?? null,
    recovery: finished?.recovery ?? null,
    exit: finished?.exit ?? null,
    duration_ms: finished?.duration_ms ?? null,
    counts: finished?.counts ?? null,
    testcases: testcases.map(({ id, summary, attempts }) => ({
      ...(summary ?? { id, verdict: null, flaky: false, attempts: attempts.length, reason: null, duration_ms: null }),
      attempts: attempts.map(attemptJson),
    })),
    owed: finished?.owed ?? [],
    results: record.results,
    links: record.url === null ? [] : [{ type: 'temporal', url: record.url }],
  };
}

function attemptJson(record: TestcaseRecord): object {
  const name = { testcase: record.testcase, attempt: record.attempt };
  return {
    attempt: record.attempt,
    verdict: record.verdict,
    reason: record.reason,
    flaky: record.flaky,
    step: record.step,
    recovery: record.recovery,
    started: isoTime(record.startedAt),
    finished: isoTime(record.finishedAt),
    workflow_id: record.workflowId,
    steps: record.steps.map((step): RunEvent => stepFinishedEvent(name, step)),
    faults: record.faults.flatMap(({ states, ...fault }) =>
      states.map((state): RunEvent => faultEvent(record.testcase, { ...fault, ...state })),
    ),
  };
}

/** A line per step: mark, id, title, duration, reason. */
function stepLines(record: TestcaseRecord, palette: Palette, width: number): readonly string[] {
  return record.steps.map(({ step, title, verdict, reason, startedAt, finishedAt }) => {
    const { symbol, colour } = VERDICT_STYLE[verdict];
    const name = title === step ? step : `${step}  ${title}`;
    const why = reason === undefined || reason === null || reason === '' ? '' : `  ${visibleLine(reason)}`;
    const text = `${visibleLine(name)}  ${shortDuration(Math.max(0, finishedAt - startedAt))}${why}`;
    return `    ${palette[colour](symbol)} ${cutColumns(text, Math.max(20, width - 6))}`;
  });
}

function toText(record: RunRecord, testcases: readonly RecordedTestcase[], palette: Palette, width: number, allSteps: boolean): string {
  const ended = record.finishedAt === undefined ? '' : `, ended ${isoTime(record.finishedAt)}`;
  const lines = [
    `${palette.bold(visibleLine(record.suite))}: run ${palette.cyan(record.run)}, seed ${record.seed}, ${record.status}`,
    palette.dim(`started ${isoTime(record.startedAt)}${ended}, ${visibleLine(record.file)}`),
  ];
  if (record.url !== null) lines.push(palette.dim(record.url));
  lines.push('');
  let bad = false;
  for (const { attempts } of testcases) {
    const last = attempts.at(-1);
    const block = last && failureBlock(last);
    if (!block) {
      if (last && allSteps) lines.push(palette.bold(visibleLine(last.testcase)), ...stepLines(last, palette, width), '');
      continue;
    }
    bad = true;
    lines.push(renderFailure(block, palette, width), ...stepLines(last, palette, width), '');
  }
  if (record.finished) lines.push(renderSummary(record.finished, palette, width));
  else
    for (const { id, attempts } of testcases)
      lines.push(`${renderVerdict(attempts.at(-1)?.verdict ?? 'skipped', palette, 8)} ${visibleLine(id)}`);
  lines.push(
    record.resultsProblem === undefined ? palette.dim(`results: ${record.results}`) : resultsNote(record.run, record.resultsProblem),
  );
  if (bad && record.finished) lines.push(rerunLine(record.run, palette));
  return `${lines.join('\n')}\n`;
}
