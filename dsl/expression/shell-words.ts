import { MARK } from './shell-scan.ts';
import type { Attributes, Only, Scan } from './shell-scan.ts';

/**
 * Quoting keeps a value one word, but some commands read a word again: as arithmetic (`let`), or as the name of a variable, whose subscript
 * bash evaluates (`read 'a[$(cmd)]'` runs cmd). Here the words of a command are followed as far as needed to find these places.
 * The names of commands that come out of variables are the author's own affair.
 */
export interface Command {
  /** What the command does with its words; undefined while only reserved words, assignments and prefixes were seen. */
  kind: 'let' | 'names' | 'declare' | 'test' | 'printf' | 'for' | 'other' | undefined;
  /** The next word is the target of a redirection. */
  redirects: boolean;
  /** Inside `a=( … )`. */
  readonly array: boolean;
  /** `declare` with attributes, so that a value is evaluated. */
  strict: boolean;
  /** What the words of a `test`, or the next word of a `printf`, must be. */
  only: Only | undefined;
  /** Number of words behind the name. */
  words: number;
}

/** The state at the start of a command, or of the words of an array. */
export function newCommand(array = false): Command {
  return { kind: undefined, redirects: false, array, strict: false, only: undefined, words: 0 };
}

/** What follows `;`, `&`, `|` or a line break: a new command, but more words in an array. */
export function endCommand(command: Command): Command {
  return command.array ? command : newCommand();
}

const KINDS: ReadonlyMap<string, Command['kind']> = new Map([
  ['let', 'let'],
  ...['read', 'unset', 'mapfile', 'readarray', 'wait', 'getopts'].map((name) => [name, 'names'] as const),
  ...['declare', 'typeset', 'local', 'export', 'readonly'].map((name) => [name, 'declare'] as const),
  ['test', 'test'],
  ['[', 'test'],
  ['printf', 'printf'],
  ['for', 'for'],
  ['select', 'for'],
]);

/** Words behind which a command still begins. `busybox` runs builtins of ash by name. */
const PREFIXES: ReadonlySet<string> = new Set(
  'if then elif else while until do ! { } time coproc builtin command busybox fi done esac'.split(' '),
);

const WORD = /(?:[^\s;&|<>()'"\\]|'[^']*'|"(?:\\[\s\S]|[^"\\])*"|\\[\s\S])+/uy;

const LONGEST_LOOK = 4_096;

/** Called at the first character of what may be a word: sets what its marks must be. */
export function beginWord(scan: Scan, command: Command): void {
  const first = scan.text[scan.at] as string;
  if (/[ \t\n;&|<>()]/u.test(first) || (first === '\\' && scan.text[scan.at + 1] === '\n')) {
    scan.only = undefined;
    return;
  }
  const near = scan.text.slice(scan.at, scan.at + LONGEST_LOOK);
  WORD.lastIndex = 0;
  const raw = WORD.exec(near)?.[0] ?? near;
  if (command.redirects) {
    command.redirects = false;
    scan.only = undefined;
    return;
  }
  // `2>` and `{fd}>` belong to the redirection.
  if (/^(?:\d+|\{\w+\})$/u.test(raw) && /[<>]/u.test(near[raw.length] ?? '')) return;
  scan.only = command.array ? element(scan, raw) : wordOf(scan, command, raw);
}

function wordOf(scan: Scan, command: Command, raw: string): Only | undefined {
  const word = withoutQuotes(raw);
  // Behind these a command begins without any `;`: `function f { read x`, `if [[ x ]] then read x`.
  if (raw === '{' || raw === 'do' || raw === 'then') Object.assign(command, newCommand());
  if (command.kind === undefined) return firstWord(scan, command, raw, word);
  command.words++;
  switch (command.kind) {
    case 'let':
      return 'integer';
    case 'names':
      return word.includes('[') ? 'integer' : 'name';
    case 'declare':
      return declaration(scan, command, raw, word);
    case 'test':
      return command.only;
    case 'printf':
      return printfWord(command, word);
    case 'for':
      return scan.attributes.evaluated ? 'integer' : undefined;
    case 'other':
      return undefined;
  }
}

function firstWord(scan: Scan, command: Command, raw: string, word: string): Only | undefined {
  if (/^[A-Za-z_]\w*(?:\+?=|\[)/u.test(raw)) {
    subscript(scan);
    return assigned(scan);
  }
  if (PREFIXES.has(word) || (word.startsWith('-') && !word.includes(MARK))) return undefined;
  command.kind = KINDS.get(word) ?? 'other';
  if (command.kind === 'test') command.only = testOnly(scan);
  return undefined;
}

function assigned(scan: Scan): Only | undefined {
  return scan.attributes.evaluated ? 'integer' : undefined;
}

function element(scan: Scan, raw: string): Only | undefined {
  if (raw.startsWith('[')) subscript(scan);
  return assigned(scan);
}

function declaration(scan: Scan, command: Command, raw: string, word: string): Only | undefined {
  if (/^[-+]/u.test(word)) {
    // Anything but -g -x -r -l -u -t -p -f -F changes how a value is read.
    if (!/^[-+][gxrlutpfF-]*$/u.test(word)) command.strict = true;
    return 'integer';
  }
  const strict = command.strict || scan.attributes.evaluated || scan.attributes.arrays;
  if (/^[A-Za-z_]\w*\+?=/u.test(word)) return strict ? 'integer' : undefined;
  if (/^[A-Za-z_]\w*\[/u.test(word)) {
    subscript(scan);
    return strict || !raw.startsWith(word.slice(0, word.indexOf('['))) ? 'integer' : undefined;
  }
  // An option may come out of a variable.
  if (word.startsWith('$')) command.strict = true;
  return 'name';
}

function printfWord(command: Command, word: string): Only | undefined {
  const only = command.only;
  command.only = undefined;
  if (only !== undefined) return word.includes('[') ? 'integer' : only;
  if (command.words !== 1) return undefined;
  if (word === '-v') command.only = 'name';
  if (word.startsWith('-v')) return 'name';
  if (word.startsWith('-')) return 'integer';
  return word.startsWith(MARK) ? 'no_option' : undefined;
}

/** `test -v NAME`, also where the `-v` may come out of a value: `[ ${{ a }} ${{ b }} ]`. */
function testOnly(scan: Scan): Only | undefined {
  const near = scan.text.slice(scan.at, scan.at + LONGEST_LOOK);
  const end = /[\n;]|&&|\|\|/u.exec(withoutQuoted(near).replaceAll('\\\n', '__'))?.index ?? near.length;
  const words = withoutRedirections(near.slice(0, end)).match(new RegExp(WORD.source, 'gu')) ?? [];
  const plain = words.slice(1).map(withoutQuotes);
  const doubtful = plain.some((word, index) => {
    const next = plain[index + 1];
    return /^-[vR]$/u.test(word) || (word.includes(MARK) && next !== undefined && !/^(?:==?|!=|<|>|-\w+|\])$/u.test(next));
  });
  return doubtful ? 'name' : undefined;
}

/** Drops `2> file` and the like, operator and target. */
function withoutRedirections(text: string): string {
  let rest = '';
  let at = 0;
  for (const operator of withoutQuoted(text).matchAll(/(?<=\s)\d*&?[<>]+[&|]?[ \t]*/gu)) {
    if (operator.index < at) continue;
    rest += text.slice(at, operator.index);
    at = operator.index + operator[0].length;
    WORD.lastIndex = at;
    at += WORD.exec(text)?.[0].length ?? 0;
  }
  return rest + text.slice(at);
}

/** From here to the `]` of `a[…]=` only integers: bash evaluates a subscript, quoted or not. */
function subscript(scan: Scan): void {
  const near = scan.text.slice(scan.at, scan.at + LONGEST_LOOK);
  let open = 0;
  for (let index = 0; index < near.length; index++) {
    const character = near[index] as string;
    if (open === 0 && character === '=') return;
    if (/['"\\`(\n]/u.test(character)) break;
    if (character === '[') open++;
    else if (character === ']' && --open === 0) {
      scan.integersUntil = Math.max(scan.integersUntil, scan.at + index);
      return;
    }
  }
  // With quotes inside, its end is not looked for in detail.
  const last = Math.max(scan.text.lastIndexOf(']='), scan.text.lastIndexOf(']+='));
  scan.integersUntil = Math.max(scan.integersUntil, last);
}

/** `[[ x -eq y ]]` of bash evaluates both sides as arithmetic, quoted or not, and `[[ -v x ]]` a subscript. */
export function arithmeticTest(scan: Scan): void {
  const near = withoutQuoted(scan.text.slice(scan.at, scan.at + LONGEST_LOOK));
  const end = /\s\]\](?=[\s;&|)]|$)/u.exec(near)?.index ?? near.length;
  if (/\s-(?:eq|ne|lt|le|gt|ge|v|R)\s/u.test(near.slice(0, end))) scan.integersUntil = Math.max(scan.integersUntil, scan.at + end);
}

/** Attributes that declarations anywhere in the script give: a function may be called, and a loop run, in any order. */
export function declaredAttributes(text: string): Attributes {
  const options = [...text.matchAll(/\b(?:declare|typeset|local|export|readonly)\b([^\n;&|]{0,400})/gu)]
    .flatMap((match) => [...(match[1] as string).matchAll(/(?:^|\s)["'\\]*[-+]["'\\]*([A-Za-z]+)/gu)].map((option) => option[1]))
    .join('');
  return { evaluated: /[in]/u.test(options), arrays: /[aA]/u.test(options) };
}

function withoutQuotes(word: string): string {
  return word.replaceAll(/\\\n|['"\\]/gu, '');
}

/** The text with everything between quotes and behind backslashes blotted out, of the same length. */
function withoutQuoted(text: string): string {
  return text.replaceAll(/'[^']*'|"(?:\\[\s\S]|[^"\\])*"|\\[\s\S]/gu, (quoted) => '_'.repeat(quoted.length));
}
