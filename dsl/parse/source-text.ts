import type { Location } from '../model/location.ts';

/** A text that was read, as diagnostics quote it: without byte order mark, line ends `\n`. */
export interface Source {
  readonly file: string;
  readonly text: string;
}

/** Offsets of the line starts; `count` are in use. */
export interface LineStarts {
  readonly offsets: Uint32Array;
  readonly count: number;
}

export function lineStarts(text: string): LineStarts {
  let offsets = new Uint32Array(Math.max(64, text.length >> 4));
  let count = 1;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) {
    if (count === offsets.length) {
      const longer = new Uint32Array(count * 2);
      longer.set(offsets);
      offsets = longer;
    }
    offsets[count++] = at + 1;
  }
  return { offsets, count };
}

/** Line and column (1-based, columns in UTF-16 units as editors count) of an offset. */
export function locationAt(file: string, { offsets, count }: LineStarts, offset: number): Location {
  let low = 0;
  let high = count - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((offsets[middle] as number) <= offset) low = middle;
    else high = middle - 1;
  }
  return { file, line: low + 1, column: offset - (offsets[low] as number) + 1 };
}

/** The offset of a location. */
export function offsetOf({ offsets }: LineStarts, { line, column }: Pick<Location, 'line' | 'column'>): number {
  return (offsets[line - 1] ?? 0) + column - 1;
}
