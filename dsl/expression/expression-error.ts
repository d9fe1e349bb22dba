/** Why an expression, a mark or a shell text is refused. Stable; part of diagnostics. */
export type ExpressionCode =
  /** Not CEL, or a mark that does not end. */
  | 'syntax'
  /** Too long, too deep, too many nested comprehensions, or more work than an expression may do. */
  | 'limit'
  /** A top-level name, function or method that does not exist. */
  | 'unknown_name'
  /** A key or index that is not there. */
  | 'no_such_key'
  /** An operator or function was given a value of the wrong type. */
  | 'type'
  /** A condition that is not true or false. */
  | 'not_boolean'
  /** A value of the right type that cannot be used: division by zero, bad number text, bad JSON, bad pattern. */
  | 'value'
  /** A result that JSON cannot hold exactly. */
  | 'result'
  /** `secrets.X` where only shell text may name it. */
  | 'secret'
  /** A mark at a place of a shell text where no quoting is safe. */
  | 'shell_place';

/** A problem found without evaluating anything; `offset` and `length` count UTF-16 units of the checked text. */
export interface ExpressionProblem {
  readonly code: ExpressionCode;
  /** One line, without the expression. */
  readonly message: string;
  readonly offset: number;
  readonly length: number;
  readonly hint?: string;
}

/** Thrown by evaluation and rendering. `message` is one line and shows the expression and the place in it. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
  readonly code: ExpressionCode;
  /** The message alone, without the expression. */
  readonly problem: ExpressionProblem;
  /** The expression or text that was evaluated. */
  readonly text: string;

  constructor(problem: ExpressionProblem, text: string) {
    super(describeProblem(problem, text));
    this.code = problem.code;
    this.problem = problem;
    this.text = text;
  }
}

const SHOWN = 160;

/** One line: message, hint, the expression (cut to what is near the place) and the column in it. */
export function describeProblem(problem: ExpressionProblem, text: string): string {
  const hint = problem.hint === undefined ? '' : `; ${problem.hint}`;
  const from = text.length <= SHOWN ? 0 : Math.max(0, Math.min(problem.offset - SHOWN / 2, text.length - SHOWN));
  const cut = text
    .slice(from, from + SHOWN)
    .replaceAll(/\s+/gu, ' ')
    .trim();
  const shown = `${from > 0 ? '…' : ''}${cut}${from + SHOWN < text.length ? '…' : ''}`;
  const before = text.slice(0, problem.offset);
  const line = before.split('\n').length;
  const column = problem.offset - (before.lastIndexOf('\n') + 1) + 1;
  return `${problem.message}${hint} (in \`${shown}\`, ${line > 1 ? `line ${line}, ` : ''}column ${column})`;
}
