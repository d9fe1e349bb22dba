import type { Palette } from '../../report/terminal/palette.ts';
import type { CliIo } from '../cli/io.ts';
import type { EndText } from './end-text.ts';
import type { Reporter } from './reporter.ts';

/** Only what went wrong: nothing at all for a run that passed. */
export function createQuietReporter(io: CliIo, palette: Palette, end: EndText): Reporter {
  return {
    event: (event) => {
      end.add(event);
      if (event.type === 'run_finished' && event.exit !== 0) io.out(end.text(event, palette, io.size().columns));
      if (event.type === 'error') io.err(`error: ${event.message}\n`);
    },
    link: () => undefined,
    note: (text) => io.err(`${text}\n`),
    close: () => undefined,
  };
}
