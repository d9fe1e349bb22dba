import type { CliIo } from '../cli/io.ts';
import type { LinkState } from '../follow/server-link.ts';
import type { Palette } from './colour.ts';
import { faultLine, suiteStepLine, testcaseLines } from './event-lines.ts';
import { createLiveBlock } from './live-block.ts';
import type { Reporter } from './reporter.ts';
import { runHeader } from './run-header.ts';
import { emptyView, finishedCount, foldEvent, type RunView } from './run-view.ts';
import { createRunSummary } from './run-summary.ts';
import { clockText, sinceText } from './since-text.ts';
import { fit, oneLine } from './text-width.ts';

const MAX_BLOCK_LINES = 8;

/** For a terminal: finished lines scroll away above, what runs now stands in a small block below. */
export function createLiveReporter(run: string, io: CliIo, paint: Palette): Reporter {
  const view = emptyView(run);
  const summary = createRunSummary(run, paint);
  let link: LinkState = { connected: true, since: Date.now() };
  const block = createLiveBlock(io.out, () => (view.finished ? [] : blockLines(view, link, io.size(), paint)));
  const clock = setInterval(block.refresh, 1000);
  const close = (): void => {
    clearInterval(clock);
    block.close();
  };
  return {
    event: (event) => {
      foldEvent(view, event);
      summary.add(event);
      if (event.type === 'run_started') block.print(runHeader(view, paint));
      if (event.type === 'testcase_finished') block.print(testcaseLines(event, paint));
      const line =
        event.type === 'fault' ? faultLine(event, paint) : event.type === 'step_finished' ? suiteStepLine(event, paint) : undefined;
      if (line !== undefined) block.print(line);
      if (event.type === 'run_finished') {
        close();
        io.out(summary.text(event));
      } else if (event.type === 'error') {
        close();
        io.err(`${paint.red('error')} ${event.message}\n`);
      } else block.refresh();
    },
    link: (state) => {
      link = state;
      block.refresh();
    },
    note: (text) => block.print(`${text}\n`),
    close,
  };
}

/** At most eight lines and a third of the height: what runs, with its step and time; faults in effect; the counts. */
export function blockLines(
  view: RunView,
  link: LinkState,
  size: { readonly columns: number; readonly rows: number },
  paint: Palette,
  now: number = Date.now(),
): readonly string[] {
  const room = Math.max(2, Math.min(MAX_BLOCK_LINES, Math.floor(size.rows / 3)));
  const width = size.columns - 1;
  const rows: string[] = [];
  for (const { name, node, state, since } of view.faults.values()) {
    rows.push(paint.magenta(fit(`  ⚡ ${oneLine(name)} on ${oneLine(node)} ${state} ${sinceText(since, now)}`, width)));
  }
  for (const [id, { steps, startedAt }] of view.running) {
    const step = [...steps.values()].at(-1);
    const doing = step ? ` › ${oneLine(step.title)}${step.nodes.length > 0 ? ` @ ${step.nodes.join(', ')}` : ''}` : '';
    rows.push(fit(`  ${sinceText(step?.startedAt ?? startedAt, now)} ${oneLine(id)}${doing}`, width));
  }
  const shown = rows.length > room - 1 ? [...rows.slice(0, room - 2), paint.dim(fit(`  … and ${rows.length - room + 2} more`, width))] : rows;
  const { counts } = view;
  const bad = (['failed', 'broken', 'void'] as const).filter((verdict) => counts[verdict] > 0).map((verdict) => `${counts[verdict]} ${verdict}`);
  const parts = [`${finishedCount(view)}/${view.total}`, `${counts.passed} passed`, ...bad, clockText(now - view.startedAt)];
  if (!link.connected) parts.push(`disconnected for ${sinceText(link.since, now)}, the run continues`);
  return [...shown, paint.bold(fit(parts.join(' · '), width))];
}
