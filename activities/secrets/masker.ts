import { secretMask } from '../../dsl/expression/secret-text.ts';
import { encodedForms, MIN_FORM } from './encoded-forms.ts';
import { createMaskStream, type MaskPatterns, type MaskStream } from './mask-stream.ts';
import { type Automaton, createAutomaton, type Pattern } from './pattern-automaton.ts';

/** Replaces the values of a run's secrets, in every form they may come back in, by `***NAME***`. */
export interface Masker {
  /** A whole text. Masking a masked text changes nothing. */
  text(text: string): string;
  /**
   * A text in which pieces of output may have been cut: what is left of a secret at a cut (`…`, or the end of a long text) goes as well.
   * For reasons, checks and messages; not for what is passed on as data.
   */
  message(text: string): string;
  /** Every text, key and number inside a value. What holds no secret is returned as it is. */
  value<T>(value: T): T;
  stream(): MaskStream;
}

/** Texts longer than this may have been cut without a sign. */
const MAY_BE_CUT = 200;
const CUT = Buffer.from('…');
const FRINGE = new Set([' ', '"'].map((char) => char.charCodeAt(0)));

export function createMasker(values: ReadonlyMap<string, string>): Masker {
  const names = [...values.keys()];
  const plain: Pattern[] = [];
  const wrapped: Pattern[] = [];
  names.forEach((name, label) => {
    // A mask is one thing: a value that is part of its own name must not be masked in it again.
    plain.push({ bytes: Buffer.from(secretMask(name)), label });
  });
  names.forEach((name, label) => {
    const forms = encodedForms(values.get(name) as string);
    plain.push(...[...forms.plain, ...forms.wrapped].map((form) => ({ bytes: Buffer.from(form), label })));
    wrapped.push(...forms.wrapped.map((form) => ({ bytes: Buffer.from(form), label })));
  });
  const patterns: MaskPatterns = {
    plain: createAutomaton(plain),
    wrapped: createAutomaton(wrapped),
    masks: names.map((name) => Buffer.from(secretMask(name))),
  };
  const edges = createEdges(plain.slice(names.length), patterns.plain);

  const text = (given: string): string => {
    if (given.length < MIN_FORM) return given;
    const bytes = Buffer.from(given, 'utf8');
    const stream = createMaskStream(patterns, bytes.length);
    const out = Buffer.concat([stream.push(bytes), stream.end()]);
    return stream.masked ? out.toString('utf8') : given;
  };
  const value = <T>(given: T): T => maskValue(given, text) as T;
  return {
    text,
    message: (given) => edges(text(given), patterns.masks),
    value,
    stream: () => createMaskStream(patterns),
  };
}

function maskValue(value: unknown, text: (given: string) => string): unknown {
  if (typeof value === 'string') return text(value);
  if (typeof value === 'number' || typeof value === 'bigint') {
    const written = String(value);
    const masked = text(written);
    return masked === written ? value : masked;
  }
  if (Array.isArray(value)) {
    const masked = value.map((item: unknown) => maskValue(item, text));
    return masked.some((item, index) => item !== value[index]) ? masked : value;
  }
  if (typeof value === 'object' && value !== null && isPlain(value)) {
    let changed = false;
    const masked = Object.entries(value).map(([key, item]) => {
      const entry = [text(key), maskValue(item, text)] as const;
      changed ||= entry[0] !== key || entry[1] !== item;
      return entry;
    });
    return changed ? Object.fromEntries(masked) : value;
  }
  return value;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** Removes beginnings of patterns before a cut and ends of patterns behind one. */
function createEdges(patterns: readonly Pattern[], forward: Automaton): (text: string, masks: readonly Buffer[]) => string {
  let backward: Automaton | undefined;
  return (text, masks) => {
    const long = text.length >= MAY_BE_CUT;
    if (!long && !text.includes('…')) return text;
    backward ??= createAutomaton(patterns.map(({ bytes, label }) => ({ bytes: Uint8Array.from(bytes).toReversed(), label })));
    const bytes = Buffer.from(text, 'utf8');
    const before: number[] = long ? [bytes.length] : [];
    const behind: number[] = long ? [0] : [];
    for (let at = bytes.indexOf(CUT); at !== -1; at = bytes.indexOf(CUT, at + CUT.length)) {
      before.push(at);
      behind.push(at + CUT.length);
    }
    const holes: { from: number; to: number }[] = [];
    for (const at of before) {
      for (let to = at; ; to--) {
        const depth = depthAt(forward, bytes.subarray(Math.max(0, to - forward.longest), to));
        if (depth >= MIN_FORM) holes.push({ from: to - depth, to });
        if (at - to >= 2 || !FRINGE.has(bytes[to - 1] ?? 0)) break;
      }
    }
    for (const at of behind) {
      for (let from = at; ; from++) {
        const depth = depthAt(backward, bytes.subarray(from, from + backward.longest).toReversed());
        if (depth >= MIN_FORM) holes.push({ from, to: from + depth });
        if (from - at >= 2 || !FRINGE.has(bytes[from] ?? 0)) break;
      }
    }
    const parts: Buffer[] = [];
    let done = 0;
    for (const { from, to } of holes.toSorted((a, b) => a.from - b.from)) {
      if (to <= done) continue;
      // The rest of a mask is no rest of a secret.
      if (masks.some((mask) => mask.includes(bytes.subarray(from, to)))) continue;
      parts.push(bytes.subarray(done, Math.max(done, from)), Buffer.from('***'));
      done = to;
    }
    return parts.length === 0 ? text : Buffer.concat([...parts, bytes.subarray(done)]).toString('utf8');
  };
}

function depthAt(automaton: Automaton, bytes: Uint8Array): number {
  let state = 0;
  for (const byte of bytes) state = automaton.next(state, byte);
  return automaton.depth(state);
}
