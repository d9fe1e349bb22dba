import type { Value } from '../model/value.ts';

const MAX = 500;

/** A text in quotes on one line, at most `max` characters: head, a sign and tail when it is longer. */
export function quote(text: string, max = MAX): string {
  if (text.length <= max - 2) {
    const whole = JSON.stringify(text);
    if (whole.length <= max) return whole;
  }
  // Cut before quoting: a 64 MiB text must not be escaped as a whole. Escapes may double the length, so it is halved until it fits.
  for (let size = Math.min(text.length, max) - 4; size > 8; size = Math.floor(size * 0.8)) {
    const head = Math.ceil(size * 0.6);
    const cut = `${JSON.stringify(whole(text.slice(0, head))).slice(0, -1)} … ${JSON.stringify(whole(text.slice(text.length - (size - head)))).slice(1)}`;
    if (cut.length <= max) return cut;
  }
  return '"…"';
}

/** Without half surrogate pairs at the ends. */
function whole(text: string): string {
  return text.replace(/^[\uDC00-\uDFFF]/u, '').replace(/[\uD800-\uDBFF]$/u, '');
}

/** A quoted piece of a text around a hit. */
export function quoteAround(text: string, at: number, length: number, max = 200): string {
  const margin = Math.max(0, Math.floor((max - Math.min(length, max)) / 2));
  const from = Math.max(0, at - margin);
  const to = Math.min(text.length, at + length + margin);
  return `${from > 0 ? '…' : ''}${quote(text.slice(from, to), max)}${to < text.length ? '…' : ''}`;
}

/** A JSON value on one line, at most `max` characters. */
export function showValue(value: Value, max = MAX): string {
  if (typeof value === 'string') return quote(value, max);
  const text = JSON.stringify(value);
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`;
}
