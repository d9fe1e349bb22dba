import type { RunEvent } from '../../dsl/model/events.ts';
import type { Verdict } from '../../dsl/model/verdict.ts';
import type { Palette } from './palette.ts';
import { VERDICT_STYLE } from './palette.ts';
import { columns, cutColumns, padColumns, shortDuration, visibleLine } from './terminal-text.ts';

type TestcaseFinished = Extract<RunEvent, { readonly type: 'testcase_finished' }>;

/** The line that scrolls by when a testcase attempt has ended: symbol, id, time, and the reason where there is one. At most `width` columns. */
export function renderTestcaseLine(event: TestcaseFinished, palette: Palette, width = 80): string {
  const { symbol, colour } = VERDICT_STYLE[event.verdict];
  const notes = [
    ...(event.verdict === 'passed' ? [] : [event.verdict]),
    ...(event.flaky ? ['flaky'] : []),
    ...(event.attempt > 1 ? [`attempt ${event.attempt}`] : []),
    ...(event.recovery === 'owed' ? ['recovery owed'] : []),
  ];
  const time = event.attempt === 0 ? '' : ` ${shortDuration(event.duration_ms)}`;
  const noted = notes.length === 0 ? '' : ` [${notes.join(', ')}]`;
  const id = cutColumns(visibleLine(event.testcase), Math.max(12, width - 2 - columns(noted) - columns(time)));
  const used = 2 + columns(id) + columns(noted) + columns(time);
  const room = width - used - 2;
  const reason = event.reason === null || event.verdict === 'passed' || room < 12 ? '' : `  ${cutColumns(visibleLine(event.reason), room)}`;
  return `${palette[colour](symbol)} ${id}${palette[colour](noted)}${palette.dim(time)}${palette.dim(reason)}`;
}

/** A verdict in its colour, padded. */
export function renderVerdict(verdict: Verdict, palette: Palette, width = 0): string {
  return palette[VERDICT_STYLE[verdict].colour](padColumns(verdict, width));
}
