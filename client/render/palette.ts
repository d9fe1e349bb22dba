import { PLAIN_PALETTE, type Palette } from '../../report/terminal/palette.ts';
import type { CliIo } from '../cli/io.ts';
import { wantsColour } from './colour.ts';

const style =
  (open: string, close: string) =>
  (text: string): string =>
    `\u001B[${open}m${text}\u001B[${close}m`;

const COLOURS: Palette = {
  red: style('31', '39'),
  green: style('32', '39'),
  yellow: style('33', '39'),
  magenta: style('35', '39'),
  cyan: style('36', '39'),
  dim: style('2', '22'),
  bold: style('1', '22'),
  alarm: style('1;97;41', '22;39;49'),
};

/** The colours for text on a stream, by flag, environment and terminal. */
export function paletteFor(stream: 'stdout' | 'stderr', flag: boolean | undefined, io: CliIo): Palette {
  const isTty = stream === 'stdout' ? io.stdoutIsTty : io.stderrIsTty;
  return wantsColour({ ...(flag === undefined ? {} : { flag }), env: io.env, isTty }) ? COLOURS : PLAIN_PALETTE;
}
