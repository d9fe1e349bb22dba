import type { CliIo } from '../cli/io.ts';
import { linkText } from './clock-text.ts';
import type { Reporter } from './reporter.ts';

/** NDJSON of suite-language §13 on stdout, text for people on stderr. `seq` numbers the lines of this stream. */
export function createJsonReporter(run: string, io: CliIo): Reporter {
  let seq = 0;
  return {
    event: ({ type, ts, ...fields }) => {
      seq += 1;
      io.out(`${JSON.stringify({ v: 1, type, ts, run, seq, ...fields })}\n`);
    },
    link: (state) => io.err(`${linkText(state)}\n`),
    note: (text) => io.err(`${text}\n`),
    close: () => undefined,
  };
}
