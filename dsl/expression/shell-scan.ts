import type { Delimiter } from './here-document.ts';

/**
 * Where in a shell script a value is about to be inserted. The scanner knows as much of the shell's grammar as is needed to tell quotes
 * apart; where dash, bash and busybox ash read a text differently, or where it would have to guess, every later mark is refused.
 */
export type ShellPlace =
  /** Outside quotes, also inside `$( … )` that itself stands outside quotes. */
  | { readonly kind: 'bare' }
  /** Inside `'…'`. */
  | { readonly kind: 'single' }
  /** Inside `"…"`; `afterName`: directly behind an unbraced `$NAME`. */
  | { readonly kind: 'double'; readonly afterName: boolean }
  | { readonly kind: 'comment' }
  /** Inside `$(( … ))`, outside quotes. */
  | { readonly kind: 'arithmetic' }
  | { readonly kind: 'refused'; readonly reason: string; readonly hint: string };

/**
 * What a value must be where bash reads a word as more than a text: an integer in arithmetic, an identifier or integer for the name of a
 * variable, and no option (`-…`) where an option would turn the next word into such a name.
 */
export type Only = 'integer' | 'name' | 'no_option';

/** Stands for a mark in a scanned text, which can hold no NUL of its own. */
export const MARK = '\0';

export const MAX_NESTING = 50;

/** What `declare -i`, `-n`, `-a` and so on somewhere in a script change. */
export interface Attributes {
  /** Some variable evaluates what is assigned to it, or names another one: `-i`, `-n`. */
  readonly evaluated: boolean;
  /** Some variable is declared as an array: bash expands a text `(…)` that a declaration assigns to it. */
  readonly arrays: boolean;
}

export interface Scan {
  readonly text: string;
  at: number;
  output: string;
  /** Number of marks met. */
  marks: number;
  readonly fill: (place: ShellPlace, index: number, only: Only | undefined) => string;
  /** Set once the scanner may have lost track: why. */
  doubt: string | undefined;
  heredocs: (Delimiter & { readonly stripTabs: boolean })[];
  depth: number;
  /** Up to this offset no mark may stand: the word behind `>&`. */
  duplicateUntil: number;
  /** Up to this offset every value must be an integer. */
  integersUntil: number;
  /** Attributes that any declaration of the script gives to variables. */
  readonly attributes: Attributes;
  /** What values must be in the word that is being read. */
  only: Only | undefined;
}

export interface Frame {
  /** Ends at an unmatched `)`; the script itself ends with the text. */
  readonly kind: 'script' | 'substitution' | 'arithmetic';
  /** Inside double quotes, at whatever distance. */
  readonly inDouble: boolean;
  /** Inside `${ … }`. */
  readonly inBraces: boolean;
}

const HINT = 'put the value into env: and use "$NAME"';

export function refused(reason: string, hint = HINT): ShellPlace {
  return { kind: 'refused', reason, hint };
}

export function copy(scan: Scan, count: number): void {
  scan.output += scan.text.slice(scan.at, scan.at + count);
  scan.at += count;
}

export function mark(scan: Scan, asked: ShellPlace): void {
  const place = scan.at < scan.duplicateUntil ? refused('a mark cannot stand behind >& or <&', 'write > file 2>&1') : asked;
  const actual =
    scan.doubt === undefined || place.kind === 'refused' ? place : refused(`cannot tell how a shell reads this place: ${scan.doubt}`);
  scan.output += scan.fill(actual, scan.marks, scan.at < scan.integersUntil ? 'integer' : scan.only);
  scan.marks++;
  scan.at++;
}

export function doubt(scan: Scan, reason: string): void {
  scan.doubt ??= reason;
}

/** A quote that does not end makes every mark doubtful, those before it too; so it is refused where it is found. */
export function unbalanced(scan: Scan, what: string): void {
  if (scan.marks === 0) return;
  scan.fill(refused(`${what} is not closed, so no quoting is certain`, 'close it'), scan.marks - 1, undefined);
}
