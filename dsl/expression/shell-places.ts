import { endIsCertain, readDelimiter } from './here-document.ts';
import type { Delimiter } from './here-document.ts';

/**
 * Where in a shell script a value is about to be inserted. The scanner knows as much of the shell's grammar as is needed to tell quotes
 * apart; where dash, bash and busybox ash read a text differently, or where it would have to guess, every later mark is refused.
 */
export type ShellPlace =
  /** Outside quotes, also inside `$( … )` that itself stands outside quotes. */
  | { readonly kind: 'bare' }
  /** Inside `'…'`. */
  | { readonly kind: 'single' }
  /** Inside `"…"`; `afterName`: directly behind an unbraced `$NAME`. */
  | { readonly kind: 'double'; readonly afterName: boolean }
  | { readonly kind: 'comment' }
  /** Inside `$(( … ))`, outside quotes. */
  | { readonly kind: 'arithmetic' }
  | { readonly kind: 'refused'; readonly reason: string; readonly hint: string };

/** Stands for a mark in a scanned text, which can hold no NUL of its own. */
export const MARK = '\0';

const MAX_NESTING = 50;

interface Scan {
  readonly text: string;
  at: number;
  output: string;
  /** Number of marks met. */
  marks: number;
  readonly fill: (place: ShellPlace, index: number, integerOnly: boolean) => string;
  /** Set once the scanner may have lost track: why. */
  doubt: string | undefined;
  heredocs: (Delimiter & { readonly stripTabs: boolean })[];
  depth: number;
  /** Up to this offset no mark may stand: the word behind `>&`. */
  duplicateUntil: number;
  /** Up to this offset every value must be an integer. */
  integersUntil: number;
}

interface Frame {
  /** Ends at an unmatched `)`; the script itself ends with the text. */
  readonly kind: 'script' | 'substitution' | 'arithmetic';
  /** Inside double quotes, at whatever distance. */
  readonly inDouble: boolean;
  /** Inside `${ … }`. */
  readonly inBraces: boolean;
}

/**
 * Copies the text and replaces each MARK by what `fill` returns for its place; `integerOnly` = anything but an integer would be unsafe.
 * `fill` may throw.
 */
export function scanShell(text: string, fill: Scan['fill']): { readonly output: string } {
  const scan: Scan = {
    text,
    at: 0,
    output: '',
    marks: 0,
    fill,
    doubt: undefined,
    heredocs: [],
    depth: 0,
    integersUntil: 0,
    duplicateUntil: 0,
  };
  code(scan, { kind: 'script', inDouble: false, inBraces: false });
  return { output: scan.output };
}

const HINT = 'put the value into env: and use "$NAME"';

function refused(reason: string, hint = HINT): ShellPlace {
  return { kind: 'refused', reason, hint };
}

function copy(scan: Scan, count: number): void {
  scan.output += scan.text.slice(scan.at, scan.at + count);
  scan.at += count;
}

function mark(scan: Scan, asked: ShellPlace): void {
  const place = scan.at < scan.duplicateUntil ? refused('a mark cannot stand behind >& or <&', 'write > file 2>&1') : asked;
  const actual =
    scan.doubt === undefined || place.kind === 'refused' ? place : refused(`cannot tell how a shell reads this place: ${scan.doubt}`);
  scan.output += scan.fill(actual, scan.marks, scan.at < scan.integersUntil);
  scan.marks++;
  scan.at++;
}

function doubt(scan: Scan, reason: string): void {
  scan.doubt ??= reason;
}

/** A quote that does not end makes every mark doubtful, those before it too; so it is refused where it is found. */
function unbalanced(scan: Scan, what: string): void {
  if (scan.marks === 0) return;
  scan.fill(refused(`${what} is not closed, so no quoting is certain`, 'close it'), scan.marks - 1, false);
}

/** Code outside quotes: the script, `$( … )`, `$(( … ))`. Ends behind the closing `)`, which it copies. */
function code(scan: Scan, frame: Frame): void {
  if (++scan.depth > MAX_NESTING) {
    giveUp(scan);
    return;
  }
  let parentheses = 0;
  // Unmatched `)` that end a pattern of `case … esac`.
  let cases = 0;
  let wordStart = true;
  while (scan.at < scan.text.length) {
    const character = scan.text[scan.at] as string;
    const next = scan.text[scan.at + 1];
    switch (character) {
      case MARK:
        mark(scan, placeInCode(frame));
        wordStart = false;
        continue;
      case '\\':
        if (next === '\n') continuation(scan);
        escape(scan, 'bare');
        // A continued line is no blank: `a\⏎#b` is one word, ` \⏎# c` is a comment.
        if (next !== '\n') wordStart = false;
        continue;
      case "'":
        single(scan, frame);
        wordStart = false;
        continue;
      case '"':
        double(scan, frame, undefined);
        wordStart = false;
        continue;
      case '`':
        backquote(scan);
        wordStart = false;
        continue;
      case '$':
        dollar(scan, frame, 'bare');
        wordStart = false;
        continue;
      case '#':
        if (wordStart && frame.kind === 'arithmetic') doubt(scan, 'a # inside ((…))');
        if (wordStart && frame.kind !== 'arithmetic') comment(scan);
        else copy(scan, 1);
        wordStart = false;
        continue;
      case '<':
        if (next === '&') duplication(scan);
        redirection(scan, frame);
        wordStart = true;
        continue;
      case '>':
        if (next === '&') duplication(scan);
        copy(scan, 1);
        wordStart = true;
        continue;
      case '\n':
        copy(scan, 1);
        wordStart = true;
        if (scan.heredocs.length > 0) bodies(scan);
        continue;
      case '(':
        // `((…))` is arithmetic in bash and nested subshells in sh. Bash runs code that a text in arithmetic names, so only integers are safe.
        if (next === '(' && wordStart && frame.kind !== 'arithmetic') {
          copy(scan, 1);
          code(scan, { ...frame, kind: 'arithmetic' });
          wordStart = true;
          continue;
        }
        copy(scan, 1);
        parentheses++;
        wordStart = true;
        continue;
      case ')':
        copy(scan, 1);
        wordStart = true;
        if (parentheses > 0) parentheses--;
        else if (frame.kind !== 'script' && cases === 0) {
          scan.depth--;
          return;
        }
        continue;
      default:
        break;
    }
    if (wordStart && character === '[' && next === '[') arithmeticTest(scan);
    if (wordStart && frame.kind === 'substitution') {
      const word = /^(?:case|esac)(?![\w'"$`\\])/u.exec(scan.text.slice(scan.at, scan.at + 6))?.[0];
      if (word !== undefined) {
        cases = Math.max(0, cases + (word === 'case' ? 1 : -1));
        // Whether a `case` here is the keyword cannot be told for certain; inside "…" a mistake would turn a value into code.
        if (frame.inDouble) doubt(scan, '`case` in a $(…) inside "…"');
      }
    }
    copy(scan, 1);
    wordStart = /[ \t;&|]/u.test(character);
  }
  if (frame.kind !== 'script') unbalanced(scan, frame.kind === 'arithmetic' ? '$((' : '$(');
  scan.depth--;
}

/** `[[ x -eq y ]]` of bash evaluates both sides as arithmetic, quoted or not: see `((`. */
function arithmeticTest(scan: Scan): void {
  const end = scan.text.indexOf(']]', scan.at);
  const test = end === -1 ? scan.text.slice(scan.at) : scan.text.slice(scan.at, end);
  if (/\s-(?:eq|ne|lt|le|gt|ge)\s/u.test(test)) scan.integersUntil = scan.at + test.length;
}

/** Too deep to follow: the rest is copied and takes no marks. */
function giveUp(scan: Scan): void {
  while (scan.at < scan.text.length) {
    const next = scan.text.indexOf(MARK, scan.at);
    copy(scan, (next === -1 ? scan.text.length : next) - scan.at);
    if (next !== -1) mark(scan, refused(`more than ${MAX_NESTING} nested substitutions`));
  }
}

function placeInCode(frame: Frame): ShellPlace {
  if (frame.inBraces) return refused('a mark cannot stand inside ${…} of the shell');
  if (frame.inDouble && frame.kind === 'substitution')
    return refused('a mark cannot stand in $(…) inside "…"', 'take the $(…) out of the quotes into a variable first');
  return frame.kind === 'arithmetic' ? { kind: 'arithmetic' } : { kind: 'bare' };
}

function escape(scan: Scan, where: 'bare' | 'double'): void {
  if (scan.text[scan.at + 1] === MARK) {
    copy(scan, 1);
    mark(
      scan,
      refused(`a mark cannot stand right behind a \\${where === 'double' ? ' inside "…"' : ''}`, 'remove the backslash or double it'),
    );
    return;
  }
  copy(scan, Math.min(2, scan.text.length - scan.at));
}

/** A line continued in the middle of a word or operator: `>\⏎&`, `(\⏎(` and `cas\⏎e` are not what they look like. */
function continuation(scan: Scan): void {
  const before = scan.text[scan.at - 1] ?? ' ';
  const behind = scan.text[scan.at + 2] ?? ' ';
  if (!/[ \t\n]/u.test(before) && !/[ \t\n]/u.test(behind)) doubt(scan, 'a line is continued in the middle of a word');
}

function single(scan: Scan, frame: Frame): void {
  copy(scan, 1);
  const place = quotedPlace(frame) ?? { kind: 'single' };
  while (scan.at < scan.text.length) {
    const character = scan.text[scan.at];
    if (character === MARK) mark(scan, place);
    else {
      copy(scan, 1);
      if (character === "'") return;
      if (character === '\n' && scan.heredocs.length > 0) doubt(scan, 'a here-document begins inside quotes');
    }
  }
  unbalanced(scan, "'");
}

/** Quotes inside `$(…)` inside `"…"`, inside `${…}` or inside `$((…))` take no marks. */
function quotedPlace(frame: Frame): ShellPlace | undefined {
  if (frame.kind === 'arithmetic') return refused('a mark cannot stand in quotes inside $((…))', 'write the mark without quotes');
  const place = placeInCode(frame);
  return place.kind === 'refused' ? place : undefined;
}

function double(scan: Scan, frame: Frame, refusal: ShellPlace | undefined): void {
  copy(scan, 1);
  const inner: Frame = { ...frame, inDouble: true };
  let afterName = false;
  while (scan.at < scan.text.length) {
    const character = scan.text[scan.at];
    const named: boolean = afterName;
    afterName = false;
    if (character === MARK) mark(scan, refusal ?? quotedPlace(frame) ?? { kind: 'double', afterName: named });
    else if (character === '\\') {
      // A continued line is taken out first, so the name may go on behind it.
      afterName = named && scan.text[scan.at + 1] === '\n';
      escape(scan, 'double');
    } else if (character === '`') backquote(scan);
    else if (character === '$') afterName = dollar(scan, inner, 'double');
    else {
      copy(scan, 1);
      if (character === '"') return;
      if (character === '\n' && scan.heredocs.length > 0) doubt(scan, 'a here-document begins inside quotes');
    }
  }
  unbalanced(scan, '"');
}

/** `$…` of any kind. Returns true when it was an unbraced name, which a following letter would prolong. */
function dollar(scan: Scan, frame: Frame, where: 'bare' | 'double'): boolean {
  const next = scan.text[scan.at + 1];
  if (next === undefined) {
    copy(scan, 1);
    return false;
  }
  if (next === MARK) {
    copy(scan, 1);
    mark(scan, refused('a mark cannot stand right behind a $', 'write \\$ for a dollar sign'));
    return false;
  }
  if (next === '(') {
    if (scan.heredocs.length > 0) doubt(scan, 'a here-document begins beside a $(…)');
    // `$((` may also be a subshell in a substitution; counting parentheses ends both at the same place.
    const kind = scan.text[scan.at + 2] === '(' ? 'arithmetic' : 'substitution';
    copy(scan, 2);
    code(scan, { kind, inDouble: where === 'double' || frame.inDouble, inBraces: frame.inBraces });
    return false;
  }
  if (next === '{') {
    braces(scan, frame, where);
    return false;
  }
  if (next === "'" && where === 'bare') {
    ansi(scan);
    return false;
  }
  if (next === '"' && where === 'bare') {
    copy(scan, 1);
    double(scan, frame, refused('a mark cannot stand in $"…"', 'use "…"'));
    return false;
  }
  if (next === '[') doubt(scan, '$[…] is arithmetic in bash');
  if (next === '\\' && scan.text[scan.at + 2] === '\n') doubt(scan, 'a line is continued behind a $');
  const name = /^[A-Za-z_]\w*/u.exec(scan.text.slice(scan.at + 1, scan.at + 256))?.[0];
  if (name !== undefined) {
    copy(scan, 1 + name.length);
    return true;
  }
  // `$1`, `$?`, `$$` and so on are complete with one character; a digit behind `$1` is read differently by shells.
  if (/[0-9?$!#@*-]/u.test(next)) {
    copy(scan, 2);
    return /[0-9]/u.test(next);
  }
  copy(scan, 1);
  return false;
}

/** `${ … }`: takes no marks; only its end matters. */
function braces(scan: Scan, frame: Frame, where: 'bare' | 'double'): void {
  copy(scan, 2);
  if (++scan.depth > MAX_NESTING) {
    giveUp(scan);
    return;
  }
  const inner: Frame = { kind: 'substitution', inDouble: where === 'double' || frame.inDouble, inBraces: true };
  while (scan.at < scan.text.length) {
    const character = scan.text[scan.at];
    if (character === MARK) mark(scan, placeInCode(inner));
    else if (character === '\\') escape(scan, where);
    else if (character === '`') backquote(scan);
    else if (character === '$') dollar(scan, inner, where);
    else if (character === "'" || character === '"') {
      // Inside "${…}" shells differ on what a quote means.
      if (where === 'double') {
        doubt(scan, 'quotes in a ${…} inside "…"');
        copy(scan, 1);
      } else if (character === "'") single(scan, inner);
      else double(scan, inner, placeInCode(inner));
    } else {
      copy(scan, 1);
      if (character === '}') {
        scan.depth--;
        return;
      }
    }
  }
  scan.depth--;
  unbalanced(scan, '${');
}

/** A back-tick ends at the next one that is not escaped, whatever quotes there are between. */
function backquote(scan: Scan): void {
  copy(scan, 1);
  while (scan.at < scan.text.length) {
    const character = scan.text[scan.at];
    if (character === MARK) mark(scan, refused('a mark cannot stand in back-ticks', 'write $(…) instead'));
    else if (character === '\\') {
      if (scan.text[scan.at + 1] === MARK) copy(scan, 1);
      else copy(scan, Math.min(2, scan.text.length - scan.at));
    } else {
      copy(scan, 1);
      if (character === '`') return;
    }
  }
  unbalanced(scan, 'a back-tick');
}

/** `$'…'`: dash does not know it, bash and ash read escapes in it. */
function ansi(scan: Scan): void {
  copy(scan, 2);
  while (scan.at < scan.text.length) {
    const character = scan.text[scan.at];
    if (character === MARK) mark(scan, refused("a mark cannot stand in $'…'", 'use \'…\' or "…"'));
    else if (character === '\\') {
      if (scan.text[scan.at + 1] === "'") doubt(scan, "shells differ on where $'…\\'…' ends");
      if (scan.text[scan.at + 1] === MARK) copy(scan, 1);
      else copy(scan, Math.min(2, scan.text.length - scan.at));
    } else {
      copy(scan, 1);
      if (character === "'") return;
    }
  }
  unbalanced(scan, "$'");
}

function comment(scan: Scan): void {
  while (scan.at < scan.text.length && scan.text[scan.at] !== '\n') {
    if (scan.text[scan.at] === MARK) mark(scan, { kind: 'comment' });
    else copy(scan, 1);
  }
}

/** `>&word`: bash expands the word a second time when it is no number, so that a quoted `$(…)` in it would run. */
function duplication(scan: Scan): void {
  const behind = scan.text.slice(scan.at + 2);
  const plain = /^[ \t]*(?![ \t])[^ \t\n;|&<>()'"\\$`\0]*(?=[ \t\n;|&<>()]|$)/u.exec(behind)?.[0];
  // A word with quotes or expansions may go on behind a blank; then the rest of the line takes no marks.
  const word = plain ?? /^(?:\\[^\0]|[^\\\n])*/u.exec(behind)?.[0] ?? '';
  scan.duplicateUntil = scan.at + 2 + word.length;
}

/** `<`, `<<` (here-document), `<<<` (here-string of bash). */
function redirection(scan: Scan, frame: Frame): void {
  if (scan.text[scan.at + 1] !== '<') {
    copy(scan, 1);
    return;
  }
  if (scan.text[scan.at + 2] === '<') {
    copy(scan, 3);
    return;
  }
  copy(scan, 2);
  if (frame.kind === 'arithmetic') {
    // A shift, unless this is a subshell after all.
    if (!/^\s*[\d$(\0]/u.test(scan.text.slice(scan.at, scan.at + 16))) doubt(scan, '<< inside $((…))');
    return;
  }
  const stripTabs = scan.text[scan.at] === '-';
  if (stripTabs) copy(scan, 1);
  while (scan.text[scan.at] === ' ' || scan.text[scan.at] === '\t') copy(scan, 1);
  const delimiter = readDelimiter(scan.text, scan.at);
  if (delimiter === undefined) {
    doubt(scan, 'the word behind << cannot be read');
    return;
  }
  copy(scan, delimiter.length);
  scan.heredocs.push({ ...delimiter, stripTabs });
}

/** Bodies of all here-documents that were announced on the line that just ended. */
function bodies(scan: Scan): void {
  for (const { word, quoted, stripTabs } of scan.heredocs.splice(0)) {
    const from = scan.at;
    while (scan.at < scan.text.length) {
      const start = scan.at;
      while (scan.at < scan.text.length && scan.text[scan.at] !== '\n') {
        if (scan.text[scan.at] === MARK) mark(scan, refused('a mark cannot stand in a here-document', 'put the value into env: or stdin:'));
        else copy(scan, 1);
      }
      const line = scan.text.slice(start, scan.at);
      if (scan.at < scan.text.length) copy(scan, 1);
      if ((stripTabs ? line.replace(/^\t+/u, '') : line) === word) break;
    }
    if (!quoted && !endIsCertain(scan.text.slice(from, scan.at))) doubt(scan, 'expansions in a here-document');
  }
}
