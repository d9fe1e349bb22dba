import type { CliIo } from '../cli/io.ts';
import type { Palette } from './colour.ts';
import type { Reporter } from './reporter.ts';
import { createRunSummary } from './run-summary.ts';

/** Only what went wrong: nothing at all for a run that passed. */
export function createQuietReporter(run: string, io: CliIo, paint: Palette): Reporter {
  const summary = createRunSummary(run, paint);
  return {
    event: (event) => {
      summary.add(event);
      if (event.type === 'run_finished' && event.exit !== 0) io.out(summary.text(event));
      if (event.type === 'error') io.err(`${paint.red('error')} ${event.message}\n`);
    },
    link: () => undefined,
    note: (text) => io.err(`${text}\n`),
    close: () => undefined,
  };
}
