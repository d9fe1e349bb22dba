import type { Value } from '../model/value.ts';
import { RawText } from './cel-value.ts';
import { evaluateMarked } from './cel.ts';
import type { Scope } from './cel.ts';
import { ExpressionError } from './expression-error.ts';
import type { ExpressionProblem } from './expression-error.ts';
import { hasMarks, parseTemplate } from './template.ts';

export type SqlDialect = 'postgres' | 'mysql';

/** A statement with placeholders (`$1` or `?`), and the values that are bound to them. */
export interface SqlText {
  readonly text: string;
  readonly params: readonly Value[];
}

/** Which database a `dsn` is for: by its scheme, or `name=value` pairs as libpq reads them. `undefined` = neither. */
export function sqlDialect(dsn: string): SqlDialect | undefined {
  if (/^(?:postgres|postgresql):\/\//iu.test(dsn)) return 'postgres';
  if (/^(?:mysql|mariadb):\/\//iu.test(dsn)) return 'mysql';
  return /^\s*[a-z_]+\s*=/iu.test(dsn) ? 'postgres' : undefined;
}

/**
 * Fills in a `query`: every mark becomes a bind parameter, so that no value can ever become SQL; `raw(x)` is inserted as it is.
 * A mark inside quotes, a comment or a word is an ExpressionError (`shell_place`): there it would be text, not a parameter.
 */
export function renderSql(text: string, scope: Scope, dialect: SqlDialect): SqlText {
  if (!hasMarks(text)) return { text, params: [] };
  const params: Value[] = [];
  const scan = createScan(dialect);
  let sql = '';
  for (const part of parseTemplate(text)) {
    if (part.kind === 'text') {
      const own = scan.read(part.text);
      if (own !== undefined) throw placeError(OWN_PLACEHOLDER, part.offset + own, 2, text);
      sql += part.text;
      continue;
    }
    const value = evaluateMarked(part.expression, scope);
    if (value instanceof RawText) {
      scan.read(value.text);
      sql += value.text;
      continue;
    }
    const problem = scan.problem(text[part.end] ?? '');
    if (problem !== undefined) throw placeError(problem, part.start, part.end - part.start, text);
    params.push(value);
    const placeholder = dialect === 'mysql' ? '?' : `$${params.length}`;
    scan.read(dialect === 'mysql' ? '?' : ' ');
    sql += placeholder;
  }
  return { text: sql, params };
}

/** As renderSql, without evaluating: marks that stand where no parameter can. A text that uses `raw()` is decided when it runs. */
export function checkSql(text: string, dialect: SqlDialect): ExpressionProblem | undefined {
  if (!hasMarks(text)) return undefined;
  const scan = createScan(dialect);
  for (const part of parseTemplate(text)) {
    if (part.kind === 'text') {
      const own = scan.read(part.text);
      if (own !== undefined) return { code: 'shell_place', ...OWN_PLACEHOLDER, offset: part.offset + own, length: 2 };
      continue;
    }
    if (part.expression.includes('raw(')) return undefined;
    const problem = scan.problem(text[part.end] ?? '');
    if (problem !== undefined) return { code: 'shell_place', ...problem, offset: part.start, length: part.end - part.start };
    scan.read(' ');
  }
  return undefined;
}

interface Complaint {
  readonly message: string;
  readonly hint: string;
}

const OWN_PLACEHOLDER: Complaint = {
  message: 'a query with marks cannot have placeholders of its own',
  hint: 'use a mark in its place: marks become the placeholders',
};

function placeError(complaint: Complaint, offset: number, length: number, text: string): ExpressionError {
  return new ExpressionError({ code: 'shell_place', ...complaint, offset, length }, text);
}

interface Scan {
  /** Reads on. Gives the offset of a placeholder that the text has itself. */
  read(text: string): number | undefined;
  /** Why no parameter can stand here, before `next`. */
  problem(next: string): Complaint | undefined;
}

/**
 * Where we are in the statement. A mistake of this scan cannot let a value in: values never enter the text, and a placeholder that is none
 * is refused by the database, which is given a value too many.
 */
function createScan(dialect: SqlDialect): Scan {
  /** The text that ends the place we are in; empty = code. */
  let until = '';
  let escapes = false;
  let depth = 0;
  let last = '';
  return {
    read(text) {
      let own: number | undefined;
      for (let at = 0; at < text.length; at++) {
        const char = text[at] as string;
        const two = text.slice(at, at + 2);
        if (until !== '') {
          if (escapes && char === '\\') at++;
          else if (until === '*/' && dialect === 'postgres' && two === '/*') {
            depth++;
            at++;
          } else if (text.startsWith(until, at)) {
            at += until.length - 1;
            // A doubled quote ends and begins again, which comes to the same.
            if (until !== '*/' || --depth === 0) until = '';
          }
          last = char;
          continue;
        }
        if (char === "'" || char === '"' || (char === '`' && dialect === 'mysql')) {
          until = char;
          escapes =
            char !== '`' && (dialect === 'mysql' || (char === "'" && /(?:^|[^\w$])[eE]$/u.test(text.slice(Math.max(0, at - 2), at))));
        } else if (two === '--' || (char === '#' && dialect === 'mysql')) {
          until = '\n';
          escapes = false;
        } else if (two === '/*') {
          until = '*/';
          escapes = false;
          depth = 1;
          at++;
        } else if (char === '$' && dialect === 'postgres') {
          const tag = /^\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$/u.exec(text.slice(at))?.[0];
          if (tag !== undefined) {
            until = tag;
            escapes = false;
            at += tag.length - 1;
          } else if (/^\$\d/u.test(two)) own ??= at;
        }
        last = char;
      }
      return own;
    },
    problem(next) {
      if (until === '\n' || until === '*/')
        return { message: 'a mark cannot stand in a comment', hint: 'take it out, or write raw() to insert it as it is' };
      if (until !== '')
        return {
          message: 'a mark inside quotes would be text, not a value',
          hint: 'write it without the quotes: marks become bind parameters',
        };
      if (/[\p{L}\p{N}_$]/u.test(last) || /[\p{L}\p{N}_$]/u.test(next))
        return { message: 'a mark cannot be a part of a word', hint: 'raw(x) inserts x as it is, for names of tables and the like' };
      return undefined;
    },
  };
}
