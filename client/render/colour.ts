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
