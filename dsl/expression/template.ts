import { ExpressionError } from './expression-error.ts';

/** A piece of a template: text as it stands, or the inside of one `${{ … }}`. Offsets count UTF-16 units of the template. */
export type TemplatePart =
  | { readonly kind: 'text'; readonly text: string; readonly offset: number }
  | {
      readonly kind: 'mark';
      readonly expression: string;
      /** Of the first character inside the mark. */
      readonly offset: number;
      /** Of the `$`, and behind the last `}`. */
      readonly start: number;
      readonly end: number;
    };

/** True when the text holds at least one mark (also one that does not end). */
export function hasMarks(text: string): boolean {
  return text.includes('${{');
}

/**
 * Splits a template into text and marks. A `}}` inside a CEL string or inside a map literal does not end a mark.
 * There is no escape: the text `${{` itself is written as the mark `${{ "${{" }}`. Throws an ExpressionError when a mark does not end.
 */
export function parseTemplate(text: string): TemplatePart[] {
  const parts: TemplatePart[] = [];
  let at = 0;
  for (let start = text.indexOf('${{'); start !== -1; start = text.indexOf('${{', at)) {
    if (start > at) parts.push({ kind: 'text', text: text.slice(at, start), offset: at });
    const close = findClose(text, start + 3);
    if (close === -1)
      throw new ExpressionError({ code: 'syntax', message: 'the mark ${{ has no closing }}', offset: start, length: 3 }, text);
    parts.push({ kind: 'mark', expression: text.slice(start + 3, close), offset: start + 3, start, end: close + 2 });
    at = close + 2;
  }
  if (at < text.length) parts.push({ kind: 'text', text: text.slice(at), offset: at });
  return parts;
}

/** Offset of the `}}` that ends a mark whose inside starts at `from`; −1 when there is none. */
function findClose(text: string, from: number): number {
  let braces = 0;
  let at = from;
  while (at < text.length) {
    const character = text[at];
    if (character === '"' || character === "'") {
      at = skipString(text, at, character);
      continue;
    }
    if (character === '/' && text[at + 1] === '/') {
      // A comment runs to the end of its line or of the mark; quotes in it mean nothing.
      while (at < text.length && text[at] !== '\n' && !(text[at] === '}' && text[at + 1] === '}')) at++;
      continue;
    }
    if (character === '{') braces++;
    else if (character === '}') {
      if (braces > 0) braces--;
      else if (text[at + 1] === '}') return at;
    }
    at++;
  }
  return -1;
}

/** Offset behind a CEL string that starts with `quote` at `at`; the end of the text when it does not end. */
function skipString(text: string, at: number, quote: string): number {
  const triple = text.startsWith(quote.repeat(3), at);
  const close = triple ? quote.repeat(3) : quote;
  let next = at + close.length;
  while (next < text.length) {
    if (text[next] === '\\') next += 2;
    else if (text.startsWith(close, next)) return next + close.length;
    // A plain string may not hold a line break; stopping here lets the parser show the place instead of a mark without end.
    else if (!triple && text[next] === '\n') return next;
    else next++;
  }
  return text.length;
}

/** The only mark of a text that is nothing but one mark (blanks around it allowed). */
export function wholeMark(text: string): string | undefined {
  if (!hasMarks(text)) return undefined;
  const parts = parseTemplate(text).filter((part) => part.kind === 'mark' || part.text.trim() !== '');
  const [only] = parts;
  return parts.length === 1 && only?.kind === 'mark' ? only.expression : undefined;
}
