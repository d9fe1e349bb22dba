import type { Location } from '../model/location.ts';

/** A text that was read, as diagnostics quote it: without byte order mark, line ends `\n`. */
export interface Source {
  readonly file: string;
  readonly text: string;
}

/** Offsets of the line starts. */
export function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

/** Line and column (1-based, columns in UTF-16 units as editors count) of an offset. */
export function locationAt(file: string, starts: readonly number[], offset: number): Location {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] as number) <= offset) low = middle;
    else high = middle - 1;
  }
  return { file, line: low + 1, column: offset - (starts[low] as number) + 1 };
}
