/** The word behind `<<`. */
export interface Delimiter {
  /** Without its quotes. */
  readonly word: string;
  /** A quoted word switches expansions in the body off. */
  readonly quoted: boolean;
  /** Of the word as written. */
  readonly length: number;
}

/** The word behind `<<` at an offset; `undefined` when it is not plain or simply quoted. A NUL stands for a mark and is never part of it. */
export function readDelimiter(text: string, at: number): Delimiter | undefined {
  const written = /^(?:'[^'\n\0]*'|"[^"\n\\$`\0]*"|\\[^\n\0]|[^\s'"\\$`;&|<>()\0])+/u.exec(text.slice(at, at + 256))?.[0];
  if (written === undefined || written.length === 256) return undefined;
  // The word goes on with something that only a shell can read.
  if (/['"\\$`\0]/u.test(text[at + written.length] ?? ' ')) return undefined;
  const word = written.replaceAll(/['"]/gu, '').replaceAll(/\\(.)/gu, '$1');
  return { word, quoted: /['"\\]/u.test(written), length: written.length };
}

/**
 * Whether the first line equal to the delimiter surely ends a body that is expanded: inside an open `$(`, `${` or back-tick it does not,
 * and whether one is open cannot be told without reading the body as a shell does.
 */
export function endIsCertain(body: string): boolean {
  if (!/\$[({]|`/u.test(body)) return true;
  const count = (character: string): number => body.split(character).length - 1;
  const balanced = count('(') === count(')') && count('{') === count('}') && count('`') % 2 === 0;
  return balanced && !/['"\\#]/u.test(body);
}
