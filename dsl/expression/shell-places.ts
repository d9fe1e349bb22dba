import { ansi, backquote, comment } from './shell-flat.ts';
import { bodies, duplication, redirection } from './shell-redirections.ts';
import { copy, doubt, mark, MARK, MAX_NESTING, refused, unbalanced } from './shell-scan.ts';
import type { Frame, Scan, ShellPlace } from './shell-scan.ts';
import { arithmeticTest, beginWord, declaredAttributes, endCommand, newCommand } from './shell-words.ts';
import type { Command } from './shell-words.ts';

/**
 * Copies the text and replaces each MARK by what `fill` returns for its place; `only` = what a value must be to be safe there.
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
    only: undefined,
    attributes: declaredAttributes(text),
  };
  code(scan, { kind: 'script', inDouble: false, inBraces: false });
  return { output: scan.output };
}

/** Code outside quotes: the script, `$( … )`, `$(( … ))`. Ends behind the closing `)`, which it copies. */
function code(scan: Scan, frame: Frame): void {
  if (++scan.depth > MAX_NESTING) {
    giveUp(scan);
    return;
  }
  let command = newCommand();
  // The commands around each `(` that is open.
  const outer: Command[] = [];
  const onlyOutside = scan.only;
  scan.only = undefined;
  // Unmatched `)` that end a pattern of `case … esac`.
  let cases = 0;
  let wordStart = true;
  while (scan.at < scan.text.length) {
    const character = scan.text[scan.at] as string;
    const next = scan.text[scan.at + 1];
    if (wordStart && frame.kind !== 'arithmetic') beginWord(scan, command);
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
        if (next !== '<' || scan.text[scan.at + 2] === '<') command.redirects = true;
        redirection(scan, frame);
        wordStart = true;
        continue;
      case '>':
        if (next === '&') duplication(scan);
        command.redirects = true;
        copy(scan, 1);
        wordStart = true;
        continue;
      case '\n':
        copy(scan, 1);
        wordStart = true;
        command = endCommand(command);
        if (scan.heredocs.length > 0) bodies(scan);
        continue;
      case '(':
        // `((…))` is arithmetic in bash and nested subshells in sh. Bash runs code that a text in arithmetic names, so only integers are safe.
        if (next === '(' && wordStart && frame.kind !== 'arithmetic') {
          copy(scan, 1);
          code(scan, { ...frame, kind: 'arithmetic' });
          command = newCommand();
          wordStart = true;
          continue;
        }
        outer.push(command);
        command = newCommand(/[\w\]+]=$/u.test(scan.text.slice(Math.max(0, scan.at - 2), scan.at)));
        copy(scan, 1);
        wordStart = true;
        continue;
      case ')':
        copy(scan, 1);
        wordStart = true;
        if (outer.length === 0 && frame.kind !== 'script' && cases === 0) {
          scan.depth--;
          scan.only = onlyOutside;
          return;
        }
        command = afterParenthesis(command, outer.pop());
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
    // `>&`, `&>` and `>|` end no command.
    if (/[;&|]/u.test(character) && next !== '>' && !/[<>]/u.test(scan.text[scan.at - 1] ?? '')) command = endCommand(command);
    copy(scan, 1);
    wordStart = /[ \t;&|]/u.test(character);
  }
  if (frame.kind !== 'script') unbalanced(scan, frame.kind === 'arithmetic' ? '$((' : '$(');
  scan.depth--;
  scan.only = onlyOutside;
}

/** Behind `a=(…)` and `<(…)` the same command goes on; behind any other `)` a new one may begin. */
function afterParenthesis(inside: Command, before: Command | undefined): Command {
  if (before === undefined) return endCommand(newCommand());
  if (inside.array || before.redirects) {
    before.redirects = false;
    return before;
  }
  return endCommand(before);
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
