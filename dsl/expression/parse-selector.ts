/** One selector text, read. Evaluated left to right. */
export interface Selector {
  readonly text: string;
  readonly terms: readonly { readonly operator: 'or' | 'and' | 'not'; readonly term: SelectorTerm }[];
}

export type SelectorTerm = { readonly offset: number; readonly length: number } & (
  | { readonly kind: 'all' }
  /** A node, a group or a role. */
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'label'; readonly key: string; readonly value: string }
  /** `n[from:to]`, `n[from:]` (`to` absent) or `n[from]` (`to` = `from`); digits as written, because `01` keeps its width. */
  | { readonly kind: 'index'; readonly name: string; readonly from: string; readonly to?: string }
);

/** A selector that cannot be read, or that names what does not exist. `message` is one line and shows the selector. */
export class SelectorError extends Error {
  override readonly name = 'SelectorError';
  readonly code = 'selector';
  readonly reason: string;
  /** The selector text, its part that is wrong. */
  readonly text: string;
  readonly offset: number;
  readonly length: number;
  readonly hint: string | undefined;

  constructor(reason: string, text: string, offset: number, length: number, hint?: string) {
    super(`${reason} (in "${text}"${hint === undefined ? '' : `; ${hint}`})`);
    this.reason = reason;
    this.text = text;
    this.offset = offset;
    this.length = Math.max(1, length);
    this.hint = hint;
  }
}

const MAX_TEXT = 4_096;
const MAX_RANGE = 10_000;
const NAME = /^[\p{L}\p{M}\p{N}][\p{L}\p{M}\p{N}_.-]*$/u;
const INDEX = /^([^[\]]*)\[\s*(\d{1,9})\s*(?:(:)\s*(\d{1,9})?\s*)?\]$/u;

/** Reads a selector: terms joined by `:` or `,` (or), `:&` (and), `:!` (not). Throws a SelectorError. */
export function parseSelector(text: string): Selector {
  if (text.length > MAX_TEXT) throw new SelectorError(`a selector may have at most ${MAX_TEXT} characters`, text.slice(0, 80), 0, 1);
  if (text.trim() === '') throw new SelectorError('the selector is empty', text, 0, 1);
  const terms = splitTerms(text).map(({ raw, offset }, index) => {
    const lead = raw.length - raw.trimStart().length;
    const sign = raw.trimStart().charAt(0);
    const operator = sign === '&' ? 'and' : sign === '!' ? 'not' : 'or';
    if (index === 0 && operator === 'and') throw new SelectorError('a selector cannot start with &', text, offset, 1);
    const body = operator === 'or' ? raw.trimStart() : raw.trimStart().slice(1).trimStart();
    const start = offset + lead + (raw.trimStart().length - body.length);
    return { operator, term: parseTerm(body.trimEnd(), start, text) } as const;
  });
  return { text, terms };
}

/** Splits at `:` and `,` outside brackets. */
function splitTerms(text: string): readonly { readonly raw: string; readonly offset: number }[] {
  const pieces: { raw: string; offset: number }[] = [];
  let start = 0;
  let inBrackets = false;
  for (let at = 0; at <= text.length; at++) {
    const character = text[at];
    if (character === '[') inBrackets = true;
    else if (character === ']') inBrackets = false;
    if (at < text.length && (inBrackets || (character !== ':' && character !== ','))) continue;
    pieces.push({ raw: text.slice(start, at), offset: start });
    start = at + 1;
  }
  return pieces;
}

function parseTerm(body: string, offset: number, text: string): SelectorTerm {
  const place = { offset, length: body.length };
  const refuse = (reason: string, hint?: string): SelectorError => new SelectorError(reason, text, offset, body.length, hint);
  if (body === '') throw refuse('a term is missing', 'terms are joined by one ":" or ",", with "&" or "!" right behind it');
  if (body === 'all') return { kind: 'all', ...place };
  const equals = body.indexOf('=');
  if (equals !== -1) {
    const key = body.slice(0, equals).trim();
    const value = body.slice(equals + 1).trim();
    if (key === '' || value === '' || value.includes('=')) throw refuse(`"${body}" is not a label term`, 'write label=value');
    return { kind: 'label', key, value, ...place };
  }
  if (body.includes('[') || body.includes(']')) {
    const match = INDEX.exec(body);
    const name = match?.[1]?.trim() ?? '';
    const from = match?.[2];
    if (match === null || from === undefined || !NAME.test(name))
      throw refuse(`"${body}" is not a range or slice`, 'write name[1:3], name[0] or name[1:]');
    const to = match[3] === undefined ? from : match[4];
    if (to !== undefined && Number(to) < Number(from)) throw refuse(`the range [${from}:${to}] is empty`);
    if (to !== undefined && Number(to) - Number(from) >= MAX_RANGE)
      throw refuse(`the range [${from}:${to}] has more than ${MAX_RANGE} names`);
    return { kind: 'index', name, from, ...(to === undefined ? {} : { to }), ...place };
  }
  if (NAME.test(body)) return { kind: 'name', name: body, ...place };
  throw refuse(`"${body}" is not a name`, 'names are letters, digits, _ and -');
}
