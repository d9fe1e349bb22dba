import type { Verdict } from '../../dsl/model/verdict.ts';

/** Colours of the terminal, passed in by the one who knows whether there is a terminal. */
export interface Palette {
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly magenta: (text: string) => string;
  readonly cyan: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly bold: (text: string) => string;
  /** Loudest: what a person must act on. */
  readonly alarm: (text: string) => string;
}

const same = (text: string): string => text;

/** No colour at all. */
export const PLAIN_PALETTE: Palette = {
  red: same,
  green: same,
  yellow: same,
  magenta: same,
  cyan: same,
  dim: same,
  bold: same,
  alarm: same,
};

/** Symbol and colour of a verdict. */
export const VERDICT_STYLE: { readonly [verdict in Verdict]: { readonly symbol: string; readonly colour: keyof Palette } } = {
  passed: { symbol: '✓', colour: 'green' },
  failed: { symbol: '✗', colour: 'red' },
  broken: { symbol: '!', colour: 'magenta' },
  void: { symbol: '∅', colour: 'yellow' },
  skipped: { symbol: '-', colour: 'dim' },
};
