import type { Check } from '../model/matcher.ts';

const MAX = 400;

/**
 * Why a sample did not match, on one line, the reason first: `stdout does not contain "green": "the light is red"`,
 * `exit code 127, expected 0: sh: 1: no_such: not found`. Empty when every check holds.
 * `context` gives the last words of the command when its exit code is the reason.
 */
export function failureReason(checks: readonly Check[], context: { readonly stdout?: string; readonly stderr?: string } = {}): string {
  const failed = checks.filter(({ ok }) => ok === false);
  const undecided = checks.filter(({ ok }) => ok === 'undecidable');
  const [first] = failed.length > 0 ? failed : undecided;
  if (first === undefined) return '';
  const others = (failed.length > 0 ? failed.length : undecided.length) - 1;
  const more = others > 0 ? ` (and ${others} more)` : '';
  const reason = first.ok === 'undecidable' ? `cannot decide ${condition(first)}: ${undecidableCause(first)}` : sentence(first, context);
  return `${oneLine(reason, MAX)}${more}`;
}

/** Why a `never` failed: a condition that holds although it never should. */
export function holdingReason(check: Check): string {
  return oneLine(`${condition(check)} holds: ${check.actual}`, MAX);
}

/** A condition of a `never` as it is judged there: met as long as it does not hold. */
export function neverCheck(check: Check): Check {
  return { ...check, expected: `never ${check.expected}`, ok: check.ok === 'undecidable' ? check.ok : !check.ok };
}

function undecidableCause(check: Check): string {
  return check.matcher === 'expr' ? check.actual : 'the output is over the limit';
}

function condition(check: Check): string {
  const where = check.path === undefined ? '' : ` of ${check.path}`;
  return `${check.matcher}${where} ${oneLine(check.expected, 120)}`;
}

function sentence(check: Check, context: { readonly stdout?: string; readonly stderr?: string }): string {
  const stream = check.path ?? 'stdout';
  const { expected } = check;
  const actual = oneLine(check.actual, 240);
  switch (check.matcher) {
    case 'exit_code': {
      const words = lastLine(context.stderr ?? '') || lastLine(context.stdout ?? '');
      const code = check.actual === 'none' ? 'no exit code' : `exit code ${check.actual}`;
      return `${code}, expected ${expected}${words === '' ? '' : `: ${words}`}`;
    }
    case 'contains':
      return `${stream} does not contain ${expected}: ${actual}`;
    case 'not_contains':
      return `${stream} contains ${expected}: ${actual}`;
    case 'matches':
      return `${stream} does not match ${expected}: ${actual}`;
    case 'not_matches':
      return `${stream} matches ${expected}: ${actual}`;
    case 'empty':
      return expected === 'empty' ? `${stream} is not empty: ${actual}` : `${stream} is empty`;
    case 'lines':
      return `${stream} has ${actual} line${actual === '1' ? '' : 's'}, expected ${expected}`;
    case 'duration':
      return `took ${actual}, expected ${expected}`;
    case 'json':
    case 'rows':
      return `${check.matcher} ${check.path ?? ''} is ${actual}, expected ${expected}`;
    case 'status':
      return actual.startsWith('no ') ? `${actual}, expected status ${expected}` : `status is ${actual}, expected ${expected}`;
    case 'all_equal':
      return `the nodes differ: ${actual}`;
    case 'expr':
      return actual === 'false' ? `not true: ${expected}` : `not true: ${expected}: ${actual}`;
    default:
      return `${stream} is ${actual}, expected ${expected}`;
  }
}

/** The last line that is not blank, at most 200 characters. */
function lastLine(text: string): string {
  // Only the end matters; the text may be megabytes.
  const lines = text.slice(-4_096).trimEnd().split('\n');
  // The shell names the script by the temporary file it lies in, which says nothing and leaves no room for the rest.
  const line = (lines.at(-1) ?? '').trim().replace(/^\/\S+\/s\.[0-9a-f]+: (?:line )?(\d+): (?:exec: )?/u, 'line $1: ');
  return oneLine(line, 200);
}

function oneLine(text: string, max: number): string {
  // Control characters of a command's output must not reach a terminal.
  const line = text.replaceAll(/\p{Cc}+/gu, ' ').trim();
  return line.length <= max ? line : `${line.slice(0, max - 1)}…`;
}
