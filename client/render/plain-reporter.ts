import { createLiveState } from '../../report/terminal/render-live.ts';
import { PLAIN_PALETTE, type Palette } from '../../report/terminal/palette.ts';
import type { CliIo } from '../cli/io.ts';
import { linkText } from './clock-text.ts';
import type { EndText } from './end-text.ts';
import type { Reporter } from './reporter.ts';
import { scrollingLines } from './scrolling-lines.ts';

/** A log that only pauses makes CI servers (and people) think that it hangs. */
const HEARTBEAT_MS = 30_000;
/** A log is not cut to a window. */
const LOG_COLUMNS = 160;

/** A line per finished testcase, a heartbeat, the failures again at the end. No cursor tricks: for logs and pipes. */
export function createPlainReporter(run: string, io: CliIo, palette: Palette, end: EndText): Reporter {
  const state = createLiveState();
  let lastLine = Date.now();
  const write = (text: string): void => {
    if (text === '') return;
    lastLine = Date.now();
    io.out(text);
  };
  const heartbeat = setInterval(() => {
    if (Date.now() - lastLine < HEARTBEAT_MS) return;
    const lines = state.render(Date.now(), PLAIN_PALETTE, LOG_COLUMNS).map((line) => line.trim());
    if (lines.length > 0) write(`… ${lines.slice(0, 4).join('; ')}\n`);
  }, 1000);
  return {
    event: (event) => {
      state.apply(event);
      end.add(event);
      write(scrollingLines(run, event, palette, LOG_COLUMNS));
      if (event.type === 'run_finished') write(end.text(event, palette, LOG_COLUMNS));
      if (event.type === 'error') io.err(`error: ${event.message}\n`);
    },
    link: (link) => io.err(`${linkText(link)}\n`),
    note: (text) => io.err(`${text}\n`),
    close: () => clearInterval(heartbeat),
  };
}
