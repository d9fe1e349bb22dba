import type { Automaton } from './pattern-automaton.ts';

/** What one pass looks for. */
export interface MaskPatterns {
  /** Patterns that stand in the text as they are. */
  readonly plain: Automaton;
  /** Patterns that may be broken by a line end anywhere: what `base64` and `xxd` write. */
  readonly wrapped: Automaton;
  /** By label. */
  readonly masks: readonly Buffer[];
}

/** Masks a stream piece by piece: a secret that is cut by the border of two pieces is masked as a whole. */
export interface MaskStream {
  /** What may be passed on by now. */
  push(piece: Buffer): Buffer;
  /** The rest. */
  end(): Buffer;
  /** Something was masked so far. */
  readonly masked: boolean;
}

interface Hit {
  readonly from: number;
  readonly to: number;
  readonly label: number;
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** `mostBytes`: length of the stream when it is known to be short. */
export function createMaskStream(patterns: MaskPatterns, mostBytes = Infinity): MaskStream {
  const plain = createFinder(patterns.plain, undefined);
  const wrapped = createFinder(patterns.wrapped, Math.min(patterns.wrapped.longest, mostBytes) + 1);
  let held: Buffer = Buffer.alloc(0);
  let hits: Hit[] = [];
  /** Offset in the stream of the first held byte, and behind the last one. */
  let first = 0;
  let read = 0;
  let masked = false;

  const release = (limit: number): Buffer => {
    const due = mergeHits(hits.filter(({ to }) => to <= limit));
    hits = hits.filter(({ to }) => to > limit);
    const parts: Buffer[] = [];
    let at = first;
    for (const { from, to, label } of due) {
      parts.push(held.subarray(at - first, from - first), patterns.masks[label] as Buffer);
      at = to;
      masked = true;
    }
    parts.push(held.subarray(at - first, limit - first));
    held = Buffer.from(held.subarray(limit - first));
    first = limit;
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
  };

  return {
    push(piece) {
      held = held.length === 0 ? piece : Buffer.concat([held, piece]);
      plain.read(piece, read, hits);
      wrapped.read(piece, read, hits);
      read += piece.length;
      let limit = Math.min(plain.openFrom(read), wrapped.openFrom(read));
      // A hit that reaches behind the limit may still grow into a longer one; so may one that it overlaps.
      for (const { from, to } of hits.toSorted((a, b) => b.from - a.from)) if (to > limit && from < limit) limit = from;
      return release(limit);
    },
    end: () => release(read),
    get masked() {
      return masked;
    },
  };
}

/** Overlapping hits as one, under the name of the longest. */
function mergeHits(hits: readonly Hit[]): readonly Hit[] {
  const merged: (Hit & { readonly longest: number })[] = [];
  for (const hit of hits.toSorted((a, b) => a.from - b.from || b.to - a.to)) {
    const last = merged.at(-1);
    const length = hit.to - hit.from;
    if (last === undefined || hit.from >= last.to) merged.push({ ...hit, longest: length });
    else {
      const label = length > last.longest ? hit.label : last.label;
      merged[merged.length - 1] = { from: last.from, to: Math.max(last.to, hit.to), label, longest: Math.max(length, last.longest) };
    }
  }
  return merged;
}

interface Finder {
  read(piece: Buffer, offset: number, hits: Hit[]): void;
  /** Where the longest pattern that may still be completed began; `end` when there is none. */
  openFrom(end: number): number;
}

/** `remember`: skip line ends, and remember the places of so many bytes. */
function createFinder(automaton: Automaton, remember: number | undefined): Finder {
  const skipsLineEnds = remember !== undefined;
  let state = 0;
  // Offsets of the last bytes that counted: line ends between them make a match longer than its pattern.
  const ring = new Float64Array(remember ?? 0);
  let counted = 0;
  let skipped = 0;
  const startOf = (length: number, end: number): number =>
    skipsLineEnds ? (ring[(counted - length) % ring.length] as number) : end - length;
  return {
    read(piece, offset, hits) {
      for (let index = 0; index < piece.length; index++) {
        const byte = piece[index] as number;
        if (skipsLineEnds) {
          if ((byte === NEWLINE || byte === RETURN) && skipped < 2) {
            skipped++;
            continue;
          }
          skipped = 0;
          ring[counted % ring.length] = offset + index;
          counted++;
        }
        state = automaton.next(state, byte);
        const length = state === 0 ? 0 : automaton.matchLength(state);
        if (length > 0)
          hits.push({ from: startOf(length, offset + index + 1), to: offset + index + 1, label: automaton.matchLabel(state) });
      }
    },
    openFrom(end) {
      const depth = automaton.depth(state);
      return depth === 0 ? end : startOf(depth, end);
    },
  };
}
