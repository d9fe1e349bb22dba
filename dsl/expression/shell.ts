import { analyseExpression } from './analyse.ts';
import { RawText } from './cel-value.ts';
import { evaluateMarked } from './cel.ts';
import type { Scope } from './cel.ts';
import { ExpressionError } from './expression-error.ts';
import type { ExpressionProblem } from './expression-error.ts';
import { hasMarks, parseTemplate, textOf } from './marks.ts';
import { scanShell } from './shell-places.ts';
import { MARK } from './shell-scan.ts';
import type { Only, ShellPlace } from './shell-scan.ts';

/** Environment variable that hands a secret to the command. */
export function secretVariable(name: string): string {
  return `ONETEAR_SECRET_${name}`;
}

/**
 * Fills in a shell script. Every value is quoted for the place its mark stands in, so that the shell sees exactly the value and
 * never code; `raw(x)` is inserted as it is; a whole `secrets.NAME` mark becomes a reference to `ONETEAR_SECRET_NAME`.
 * Throws an ExpressionError: a mark where no quoting is safe (`shell_place`), a value with a NUL, or an expression that fails.
 */
export function renderShell(text: string, scope: Scope): string {
  if (!hasMarks(text)) return text;
  const fills: Fill[] = [];
  let tape = '';
  for (const part of parseTemplate(text)) {
    if (part.kind === 'text') {
      refuseNul(part.text, text, part.offset);
      tape += part.text;
      continue;
    }
    const fill = evaluateFill(part.expression, scope, part.start, part.end - part.start);
    refuseNul(fill.kind === 'secret' ? '' : fill.text, text, part.start);
    // Raw text is shell text like any other: it is scanned, so that what comes behind it is quoted for where it then stands.
    if (fill.kind === 'raw') tape += fill.text;
    else {
      fills.push(fill);
      tape += MARK;
    }
  }
  const { output } = scanShell(tape, (place, index, only) => fillIn(fills[index] as Fill, place, only, text));
  return output;
}

interface Fill {
  readonly kind: 'value' | 'raw' | 'secret';
  /** The value, or the name of the secret. */
  readonly text: string;
  readonly offset: number;
  readonly length: number;
}

function evaluateFill(expression: string, scope: Scope, offset: number, length: number): Fill {
  const secret = secretName(expression);
  if (secret !== undefined) return { kind: 'secret', text: secret, offset, length };
  const value = evaluateMarked(expression, scope);
  if (value instanceof RawText) return { kind: 'raw', text: value.text, offset, length };
  return { kind: 'value', text: textOf(value, expression), offset, length };
}

function refuseNul(part: string, text: string, offset: number): void {
  if (part.includes('\0'))
    throw new ExpressionError({ code: 'value', message: 'a NUL character cannot be passed to a shell', offset, length: 1 }, text);
}

function fillIn(fill: Fill, place: ShellPlace, only: Only | undefined, text: string): string {
  if (place.kind === 'refused') {
    throw new ExpressionError(
      { code: 'shell_place', message: place.reason, offset: fill.offset, length: fill.length, hint: place.hint },
      text,
    );
  }
  if (only !== undefined && place.kind !== 'comment' && (fill.kind === 'secret' || !ALLOWED[only].test(fill.text)))
    throw notAllowed(only, fill, text);
  return fill.kind === 'secret' ? secretIn(fill, place, text) : valueIn(fill, place, text);
}

const ALLOWED: { readonly [only in Only]: RegExp } = {
  integer: /^-?\d{1,19}$/u,
  name: /^(?:[A-Za-z_][A-Za-z0-9_]*|-?\d{1,19})$/u,
  no_option: /^(?!-)/u,
};

const WANTED: { readonly [only in Only]: string } = {
  integer: 'only an integer may stand in arithmetic of the shell',
  name: 'only a name (A-Z a-z 0-9 _) or an integer may stand where the shell reads the name of a variable',
  no_option: 'only a value that does not start with - may stand first behind printf',
};

const WHY: { readonly [only in Only]: string } = {
  integer: 'bash would evaluate any other text as code',
  name: 'bash would evaluate a subscript in any other text as code; a text that is no name can come in through env:',
  no_option: "bash could take the next word as the name of a variable, and evaluate it; write printf '%s' or printf --",
};

function notAllowed(only: Only, fill: Fill, text: string): ExpressionError {
  const found = fill.kind === 'secret' ? 'a secret' : JSON.stringify(fill.text.slice(0, 40));
  return new ExpressionError(
    { code: 'shell_place', message: `${WANTED[only]}, not ${found}`, offset: fill.offset, length: fill.length, hint: WHY[only] },
    text,
  );
}

function valueIn(fill: Fill, place: Exclude<ShellPlace, { readonly kind: 'refused' }>, text: string): string {
  const value = fill.text;
  switch (place.kind) {
    case 'bare':
      return `'${singleQuoted(value)}'`;
    case 'single':
      return singleQuoted(value);
    case 'double': {
      const escaped = value.replaceAll(/[\\"$`]/gu, String.raw`\$&`);
      // `"$VAR${{ x }}"`: without the break, letters of the value would become part of the variable's name.
      return place.afterName && /^\w/u.test(value) ? `""${escaped}` : escaped;
    }
    case 'comment':
      // A line break would end the comment. Nobody needs the exact text here, so everything that could mean something goes.
      return value.replaceAll(/[^\p{L}\p{N} .,:@%+/=_-]/gu, '_');
    case 'arithmetic': {
      if (!ALLOWED.integer.test(value)) throw notAllowed('integer', fill, text);
      // A leading zero would make it octal, a minus next to another one a decrement.
      const digits = String(BigInt(value));
      return digits.startsWith('-') ? `(${digits})` : digits;
    }
  }
}

function singleQuoted(value: string): string {
  return value.replaceAll("'", String.raw`'\''`);
}

function secretIn(fill: Fill, place: Exclude<ShellPlace, { readonly kind: 'refused' }>, text: string): string {
  const reference = `\${${secretVariable(fill.text)}}`;
  switch (place.kind) {
    case 'bare':
      return `"${reference}"`;
    case 'double':
      return reference;
    case 'single':
      return `'"${reference}"'`;
    case 'comment':
      return `secrets.${fill.text}`;
    case 'arithmetic':
      throw notAllowed('integer', fill, text);
  }
}

/** Name of the secret when the expression is nothing but `secrets.NAME` or `secrets["NAME"]`. */
export function secretName(expression: string): string | undefined {
  const match = /^\s*secrets\s*(?:\.\s*([A-Za-z_]\w*)|\[\s*(?:"([A-Za-z_]\w*)"|'([A-Za-z_]\w*)')\s*\])\s*$/u.exec(expression);
  return match === null ? undefined : (match[1] ?? match[2] ?? match[3]);
}

/** Names of all secrets that whole marks of a text refer to, each once. Throws when a mark does not end. */
export function secretsIn(text: string): readonly string[] {
  if (!hasMarks(text)) return [];
  const names = parseTemplate(text).flatMap((part) => (part.kind === 'mark' ? [secretName(part.expression)] : []));
  return [...new Set(names.filter((name) => name !== undefined))];
}

/**
 * Checks without values that every mark of a shell text stands where quoting is safe. Text from `raw(x)` is not known before the run:
 * it is taken to leave the place unchanged here, and checked when it is rendered.
 */
export function checkShell(text: string): ExpressionProblem | undefined {
  if (!hasMarks(text)) return undefined;
  try {
    const marks: { readonly offset: number; readonly length: number }[] = [];
    let tape = '';
    for (const part of parseTemplate(text)) {
      if (part.kind === 'text') {
        refuseNul(part.text, text, part.offset);
        tape += part.text;
      } else if (!isRawCall(part.expression)) {
        marks.push({ offset: part.start, length: part.end - part.start });
        tape += MARK;
      }
    }
    scanShell(tape, (place, index) => {
      const { offset, length } = marks[index] as { offset: number; length: number };
      if (place.kind !== 'refused') return 'x';
      throw new ExpressionError({ code: 'shell_place', message: place.reason, offset, length, hint: place.hint }, text);
    });
    return undefined;
  } catch (error) {
    if (error instanceof ExpressionError) return error.problem;
    throw error;
  }
}

/** True when the whole mark is `raw(…)`; what else may yield raw text is found out when it is rendered. */
function isRawCall(expression: string): boolean {
  try {
    // Bad syntax is reported by checkExpression, not here.
    analyseExpression(expression);
  } catch {
    return false;
  }
  return /^\s*raw\s*\([\s\S]*\)\s*$/u.test(expression);
}
