/** A parsed `-k` or `-m` expression: asks about one term at a time. */
export type SelectionTest = (holds: (term: string) => boolean) => boolean;

/** What is wrong with a selection expression, with its place for a message. */
export interface SelectionProblem {
  readonly message: string;
  /** 0-based. */
  readonly offset: number;
}

interface Token {
  readonly kind: 'word' | 'text' | '(' | ')' | 'end';
  readonly text: string;
  readonly offset: number;
}

/**
 * `and or not ( )` over terms, `not` binds strongest, then `and` (pytest's habit). A term is a word up to a blank or parenthesis, or a
 * text in quotes.
 */
export function parseSelection(text: string): SelectionTest | SelectionProblem {
  const tokens = tokenize(text);
  if (!Array.isArray(tokens)) return tokens as SelectionProblem;
  let at = 0;
  let problem: SelectionProblem | undefined;
  const peek = (): Token => tokens[at] as Token;
  const isWord = (word: string): boolean => peek().kind === 'word' && peek().text === word;
  const fail = (message: string): SelectionTest => {
    problem ??= { message, offset: peek().offset };
    return () => false;
  };
  const orTerm = (): SelectionTest => {
    let left = andTerm();
    while (!problem && isWord('or')) {
      at++;
      const [a, b] = [left, andTerm()];
      left = (holds) => a(holds) || b(holds);
    }
    return left;
  };
  const andTerm = (): SelectionTest => {
    let left = notTerm();
    while (!problem && isWord('and')) {
      at++;
      const [a, b] = [left, notTerm()];
      left = (holds) => a(holds) && b(holds);
    }
    return left;
  };
  const notTerm = (): SelectionTest => {
    let negated = false;
    while (isWord('not')) {
      at++;
      negated = !negated;
    }
    const inner = primary();
    return negated ? (holds) => !inner(holds) : inner;
  };
  let depth = 0;
  const primary = (): SelectionTest => {
    const token = peek();
    if (token.kind === 'end') return fail('the expression ends too early');
    if (token.kind === ')') return fail('there is no ( before this )');
    if (token.kind === 'word' && (token.text === 'and' || token.text === 'or')) return fail(`a term is missing before "${token.text}"`);
    at++;
    if (token.kind !== '(') return (holds) => holds(token.text);
    if (++depth > 100) return fail('more than 100 nested parentheses');
    const inner = orTerm();
    depth--;
    if (problem) return inner;
    if (peek().kind !== ')') return fail(peek().kind === 'end' ? 'a ) is missing' : `"and" or "or" is missing before "${peek().text}"`);
    at++;
    return inner;
  };
  const test = orTerm();
  if (!problem && peek().kind !== 'end')
    fail(peek().kind === ')' ? 'there is no ( before this )' : `"and" or "or" is missing before "${peek().text}"`);
  return problem ?? test;
}

function tokenize(text: string): readonly Token[] | SelectionProblem {
  const tokens: Token[] = [];
  const pattern = /\s+|([()])|"([^"]*)"|'([^']*)'|([^\s()"']+)|(["'])/gy;
  for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
    const offset = match.index;
    if (match[1] !== undefined) tokens.push({ kind: match[1] as '(' | ')', text: match[1], offset });
    else if (match[4] !== undefined) tokens.push({ kind: 'word', text: match[4], offset });
    else if (match[5] !== undefined) return { message: 'the quote is not closed', offset };
    else if (match[2] !== undefined || match[3] !== undefined)
      tokens.push({ kind: 'text', text: (match[2] ?? match[3]) as string, offset });
  }
  tokens.push({ kind: 'end', text: '', offset: text.length });
  return tokens;
}
