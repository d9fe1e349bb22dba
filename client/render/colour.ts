/** Wraps text in one terminal style. */
export type Paint = (text: string) => string;

/** The few styles we use. Without colour every one is the identity. */
export interface Palette {
  readonly enabled: boolean;
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly magenta: Paint;
  readonly cyan: Paint;
}

export interface ColourChoice {
  /** `--color` / `--no-color`. */
  readonly flag?: boolean;
  readonly env: { readonly [name: string]: string | undefined };
  /** Whether the stream that gets the text is a terminal. */
  readonly isTty: boolean;
}

/**
 * Flags, then NO_COLOR, then FORCE_COLOR (0 = off), then a terminal that is not dumb, then GitHub Actions.
 * Decided here and not by picocolors, which turns colour on in every CI and takes FORCE_COLOR=0 for yes.
 */
export function wantsColour({ flag, env, isTty }: ColourChoice): boolean {
  if (flag !== undefined) return flag;
  if (env['NO_COLOR']) return false;
  const force = env['FORCE_COLOR'];
  if (force !== undefined && force !== '') return force !== '0' && force !== 'false';
  if (isTty) return env['TERM'] !== 'dumb';
  return env['GITHUB_ACTIONS'] === 'true';
}

const style =
  (open: number, close: number): Paint =>
  (text) =>
    `\u001B[${open}m${text}\u001B[${close}m`;

const plain: Paint = (text) => text;

export function palette(enabled: boolean): Palette {
  if (!enabled) return { enabled, bold: plain, dim: plain, red: plain, green: plain, yellow: plain, magenta: plain, cyan: plain };
  return {
    enabled,
    bold: style(1, 22),
    dim: style(2, 22),
    red: style(31, 39),
    green: style(32, 39),
    yellow: style(33, 39),
    magenta: style(35, 39),
    cyan: style(36, 39),
  };
}
