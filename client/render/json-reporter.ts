import type { CliIo } from '../cli/io.ts';
import { linkText } from './clock-text.ts';
import { PLAIN_PALETTE } from '../../report/terminal/palette.ts';
import { renderCounts } from '../../report/terminal/render-summary.ts';
import { scrollingLines } from './scrolling-lines.ts';
import type { Reporter } from './reporter.ts';

/** NDJSON of suite-language §13 on stdout, text for people on stderr. `seq` numbers the lines of this stream. */
export function createJsonReporter(run: string, io: CliIo): Reporter {
  let seq = 0;
  return {
    event: (event) => {
      const { type, ts, ...fields } = event;
      seq += 1;
      io.out(`${JSON.stringify({ v: 1, type, ts, run, seq, ...fields })}\n`);
      if (type === 'run_started') io.err(scrollingLines(run, event, PLAIN_PALETTE, 160));
      if (event.type === 'run_finished') io.err(`${renderCounts(event, PLAIN_PALETTE)}\n`);
    },
    link: (state) => io.err(`${linkText(state)}\n`),
    note: (text) => io.err(`${text}\n`),
    close: () => undefined,
  };
}
