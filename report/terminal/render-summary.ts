import type { RunFinished } from '../../dsl/model/events.ts';
import type { OwedFault } from '../../dsl/model/result.ts';
import { VERDICTS } from '../../dsl/model/verdict.ts';
import type { Palette } from './palette.ts';
import { VERDICT_STYLE } from './palette.ts';
import { columns, cutColumns, padColumns, shortDuration, visible, visibleLine } from './terminal-text.ts';

const MAX_ROWS = 60;

/** The end of a run: a row per testcase (all that are not passed come first when there are too many), the counts, and what is owed. */
export function renderSummary(finished: RunFinished, palette: Palette, width = 80): string {
  const rows = chooseRows(finished);
  const idWidth = Math.min(Math.max(8, width - 30), Math.max(8, ...rows.map((row) => columns(visibleLine(row.id)))));
  const lines = rows.map((row) => {
    const { symbol, colour } = VERDICT_STYLE[row.verdict];
    const id = padColumns(cutColumns(visibleLine(row.id), idWidth), idWidth);
    const notes = [...(row.flaky ? ['flaky'] : []), ...(row.attempts > 1 ? [`${row.attempts} attempts`] : [])].join(', ');
    const time = padColumns(row.attempts === 0 ? '' : shortDuration(row.duration_ms), 8, 'left');
    return `${palette[colour](symbol)} ${id}  ${palette[colour](padColumns(row.verdict, 7))}  ${palette.dim(time)}${notes === '' ? '' : `  ${palette.dim(notes)}`}`;
  });
  const left = finished.testcases.length - rows.length;
  if (left > 0) lines.push(palette.dim(`… and ${left} more passed or skipped`));
  lines.push('', renderCounts(finished, palette));
  if (finished.owed.length > 0) lines.push('', renderOwed(finished.owed, palette));
  return lines.join('\n');
}

/** `passed: 3 passed, 1 skipped in 12.3s`. */
export function renderCounts(finished: RunFinished, palette: Palette): string {
  const counts = VERDICTS.filter((verdict) => finished.counts[verdict] > 0).map((verdict) =>
    palette[VERDICT_STYLE[verdict].colour](`${finished.counts[verdict]} ${verdict}`),
  );
  const flaky = finished.counts.flaky > 0 ? palette.yellow(` (${finished.counts.flaky} flaky)`) : '';
  const total = finished.testcases.length === 0 ? 'no testcases' : counts.join(', ');
  const verdict = palette.bold(palette[VERDICT_STYLE[finished.verdict].colour](finished.verdict));
  const owed = finished.recovery === 'owed' ? palette.alarm(' recovery owed ') : '';
  return `${verdict}: ${total}${flaky} in ${shortDuration(finished.duration_ms)}${owed === '' ? '' : ` ${owed}`}`;
}

/** What a person must undo by hand: the loudest thing the engine says. The commands stand alone on their lines, whole, to be copied. */
export function renderOwed(owed: readonly OwedFault[], palette: Palette): string {
  const lines = [palette.alarm(` RECOVERY OWED: ${owed.length} ${owed.length === 1 ? 'fault is' : 'faults are'} not confirmed undone `)];
  for (const debt of owed) {
    lines.push(`  ${palette.red(palette.bold(visibleLine(debt.node)))}  ${visibleLine(debt.fault)}`);
    lines.push(`    ${palette.dim('undo by hand:')}`);
    lines.push(
      ...visible(debt.undo)
        .split('\n')
        .map((line) => `      ${line}`),
    );
  }
  lines.push(palette.dim('  owed when the run ended, and recovery went on; how it is now: onetear faults, onetear recover'));
  return lines.join('\n');
}

function chooseRows(finished: RunFinished): RunFinished['testcases'] {
  if (finished.testcases.length <= MAX_ROWS) return finished.testcases;
  const notable = finished.testcases.filter((row) => row.verdict !== 'passed' && row.verdict !== 'skipped');
  return notable.slice(0, MAX_ROWS * 4);
}
