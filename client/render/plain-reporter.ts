import type { CliIo } from '../cli/io.ts';
import type { Palette } from './colour.ts';
import { faultLine, suiteStepLine, testcaseLines } from './event-lines.ts';
import type { Reporter } from './reporter.ts';
import { emptyView, finishedCount, foldEvent } from './run-view.ts';
import { createRunSummary } from './run-summary.ts';
import { clockText, sinceText } from './since-text.ts';
import { runHeader } from './run-header.ts';

/** A log that only pauses makes CI servers (and people) think it hangs. */
const HEARTBEAT_MS = 30_000;

/** A line per finished testcase, a heartbeat, the failures again at the end. No cursor tricks: for logs and pipes. */
export function createPlainReporter(run: string, io: CliIo, paint: Palette): Reporter {
  const view = emptyView(run);
  const summary = createRunSummary(run, paint);
  let lastLine = Date.now();
  const write = (text: string | undefined): void => {
    if (text === undefined) return;
    lastLine = Date.now();
    io.out(text);
  };
  const heartbeat = setInterval(() => {
    if (Date.now() - lastLine < HEARTBEAT_MS) return;
    const running = [...view.running.keys()].slice(0, 3).join(', ');
    const more = view.running.size > 3 ? ` and ${view.running.size - 3} more` : '';
    const faults = view.faults.size > 0 ? `, ${view.faults.size} faults in effect` : '';
    write(`… ${clockText(Date.now() - view.startedAt)} ${finishedCount(view)}/${view.total} done, running ${running || 'nothing'}${more}${faults}\n`);
  }, 1000);
  return {
    event: (event) => {
      foldEvent(view, event);
      summary.add(event);
      if (event.type === 'run_started') write(runHeader(view, paint));
      if (event.type === 'testcase_finished') write(testcaseLines(event, paint));
      if (event.type === 'fault') write(faultLine(event, paint));
      if (event.type === 'step_finished') write(suiteStepLine(event, paint));
      if (event.type === 'run_finished') write(summary.text(event));
      if (event.type === 'error') io.err(`${paint.red('error')} ${event.message}\n`);
    },
    link: (state) => {
      io.err(state.connected ? 'connected again\n' : `disconnected for ${sinceText(state.since)}, the run continues\n`);
    },
    note: (text) => io.err(`${text}\n`),
    close: () => clearInterval(heartbeat),
  };
}
