import type { CliIo } from '../cli/io.ts';
import type { OutputMode } from '../cli/options.ts';
import { isCi } from '../follow/interrupts.ts';
import { createEndText, type WhereOf } from './end-text.ts';
import { createJsonReporter } from './json-reporter.ts';
import { createLiveReporter } from './live-reporter.ts';
import { homeOf } from '../home.ts';
import { recordedBlock } from './recorded-block.ts';
import { paletteFor } from './palette.ts';
import { createPlainReporter } from './plain-reporter.ts';
import { createQuietReporter } from './quiet-reporter.ts';
import type { Reporter } from './reporter.ts';

/** `live` needs a terminal that somebody looks at; everywhere else cursor movements are noise in a log. */
export function outputMode(wanted: OutputMode | undefined, io: CliIo): OutputMode {
  if (wanted !== undefined && wanted !== 'live') return wanted;
  if (!io.stdoutIsTty || io.env['TERM'] === 'dumb') return 'plain';
  return wanted === 'live' || !isCi(io.env) ? 'live' : 'plain';
}

export function createReporter(
  run: string,
  options: { readonly output?: OutputMode; readonly color?: boolean | undefined },
  io: CliIo,
  whereOf?: WhereOf,
): Reporter {
  const palette = paletteFor('stdout', options.color, io);
  const end = createEndText(run, recordedBlock(homeOf(io), run), whereOf);
  switch (outputMode(options.output, io)) {
    case 'json':
      return createJsonReporter(run, io);
    case 'live':
      return createLiveReporter(run, io, palette, end);
    case 'plain':
      return createPlainReporter(run, io, palette, end);
    case 'quiet':
      return createQuietReporter(io, palette, end);
  }
}
