import type { CliIo } from '../cli/io.ts';
import type { OutputMode } from '../cli/options.ts';
import { isCi } from '../follow/interrupts.ts';
import { palette, wantsColour, type Palette } from './colour.ts';
import { createJsonReporter } from './json-reporter.ts';
import { createLiveReporter } from './live-reporter.ts';
import { createPlainReporter } from './plain-reporter.ts';
import { createQuietReporter } from './quiet-reporter.ts';
import type { Reporter } from './reporter.ts';

/** `live` needs a terminal that somebody looks at; everywhere else cursor movements are noise in a log. */
export function outputMode(wanted: OutputMode | undefined, io: CliIo): OutputMode {
  if (wanted !== undefined && wanted !== 'live') return wanted;
  if (!io.stdoutIsTty || io.env['TERM'] === 'dumb') return 'plain';
  return wanted === 'live' || !isCi(io.env) ? 'live' : 'plain';
}

/** The palette for text on stdout. */
export function stdoutPalette(flag: boolean | undefined, io: CliIo): Palette {
  return palette(wantsColour({ ...(flag === undefined ? {} : { flag }), env: io.env, isTty: io.stdoutIsTty }));
}

export function createReporter(run: string, options: { readonly output?: OutputMode; readonly color?: boolean }, io: CliIo): Reporter {
  const paint = stdoutPalette(options.color, io);
  switch (outputMode(options.output, io)) {
    case 'json':
      return createJsonReporter(run, io);
    case 'live':
      return createLiveReporter(run, io, paint);
    case 'plain':
      return createPlainReporter(run, io, paint);
    case 'quiet':
      return createQuietReporter(run, io, paint);
  }
}
