import type { CliIo } from '../cli/io.ts';
import { sinceText } from './since-text.ts';
import type { Reporter } from './reporter.ts';

/** NDJSON of suite-language §13 on stdout, text for people on stderr. `seq` numbers the lines of this stream. */
export function createJsonReporter(run: string, io: CliIo): Reporter {
  let seq = 0;
  return {
    event: ({ type, ts, ...fields }) => {
      seq += 1;
      io.out(`${JSON.stringify({ v: 1, type, ts, run, seq, ...fields })}\n`);
    },
    link: (state) => {
      io.err(state.connected ? 'connected again\n' : `disconnected for ${sinceText(state.since)}, the run continues\n`);
    },
    note: (text) => io.err(`${text}\n`),
    close: () => undefined,
  };
}
