import type { YAMLError } from 'yaml';
import type { YamlProblem } from './yaml-node.ts';

/** What the parser says, in the user's words. Messages that are clear enough stay as they are. */
const WORDS: { readonly [start: string]: string } = {
  'Nested mappings are not allowed in compact mappings': 'a second "key: value" stands on the line of the first one',
  'A block sequence may not be used as an implicit map key': 'an item of a list stands where a key is expected',
  'All mapping items must start at the same column': 'the keys of a map must start at the same column',
  'All sequence items must start at the same column': 'the items of a list must start at the same column',
  'Implicit keys need to be on a single line': 'this is neither a "key: value" nor part of the value above it',
  'Implicit map keys need to be followed by map values': 'a key must be followed by a colon and a space',
  'Sequence item without - indicator': 'an item of a list must start with "- "',
  'Tabs are not allowed as indentation': 'a tab cannot be used for indentation; use spaces',
  'With stringKeys, all keys must be strings': 'a key must be a text, without a tag or an anchor',
  'Source is empty': 'the suite is empty',
};

const TOKENS: { readonly [token: string]: string } = {
  'flow-map-start': '{',
  'flow-map-end': '}',
  'flow-seq-start': '[',
  'flow-seq-end': ']',
  'flow-collection': 'bracket',
  scalar: 'text',
  'double-quoted-scalar': 'quoted text',
  'single-quoted-scalar': 'quoted text',
  'block-map': 'key',
  'block-seq': 'list',
};

/** A syntax error or warning of the `yaml` parser as a problem of the whole text, whose offsets are `shift` larger. */
export function yamlErrorProblem(error: YAMLError, text: string, shift: number, openQuote?: number): YamlProblem {
  let offset = Math.min(Math.max(0, error.pos[0] + shift), text.length);
  // A bad indentation is reported at the line start: show the text that is indented.
  while (text[offset] === ' ') offset++;
  if (openQuote !== undefined && error.message.startsWith('Missing closing')) offset = openQuote;
  const line = lineAt(text, offset);
  const length = Math.max(1, Math.min(error.pos[1] - error.pos[0], line.end - offset));
  const hint = hintFor(error, text, offset, line.text);
  return { code: 'SUITE_YAML', message: words(error), offset, length, ...(hint === undefined ? {} : { hint }) };
}

/** What the reader itself found in a text that is too large for a second opinion. */
export function readerProblem(reason: string, text: string, offset: number): YamlProblem {
  const hint =
    trapHint(lineAt(text, offset).text) ??
    'if this is meant as it stands: files over 256 KiB may use little of such YAML; write it plainly';
  return { code: 'SUITE_YAML', message: reason, offset, length: 1, hint };
}

function words(error: YAMLError): string {
  const { message } = error;
  for (const [start, own] of Object.entries(WORDS)) if (message.startsWith(start)) return own;
  if (error.code === 'TAG_RESOLVE_FAILED') {
    const tag = /Unresolved tag: (\S+)/.exec(message)?.[1] ?? '';
    return `the tag ${tag.slice(0, 60)} is not known`;
  }
  const token = /^Unexpected ([a-z-]+) (?:at node end|token)/.exec(message)?.[1];
  if (token !== undefined) return `unexpected ${TOKENS[token] ?? token} after the value`;
  const first = message.split('\n', 1)[0] ?? message;
  return first.length > 160 ? `${first.slice(0, 160)}…` : lowerFirst(first);
}

function lowerFirst(text: string): string {
  return /^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;
}

function hintFor(error: YAMLError, text: string, offset: number, line: string): string | undefined {
  const trap = trapHint(line);
  if (trap !== undefined) return trap;
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- only some codes have advice of their own
  switch (error.code) {
    case 'TAG_RESOLVE_FAILED':
      return 'a text that starts with ! must be in quotes';
    case 'BAD_SCALAR_START':
      return 'write the value in quotes';
    case 'BLOCK_AS_IMPLICIT_KEY':
      return 'put the whole value in quotes, or move it to the next line, indented more';
    case 'BAD_INDENT':
      return 'align this line with the lines it belongs to';
    case 'BAD_ALIAS':
    case 'ALIAS_PROPS':
      return 'a text that starts with * or & must be in quotes';
    case 'MISSING_CHAR':
      return /\w\[\d/.test(line) ? 'a text with brackets must be in quotes inside a list: "pg[1:3]"' : undefined;
    default:
      return /^[@`%*&!|>]/.test(text.slice(offset, offset + 1)) ? 'a text that starts with this character must be in quotes' : undefined;
  }
}

/** The traps that people step into with marks; judged by the line alone. */
function trapHint(line: string): string | undefined {
  const mark = line.indexOf('${{');
  if (mark >= 0) {
    const end = line.indexOf('}}', mark);
    const inside = end < 0 ? line.slice(mark) : line.slice(mark, end);
    if (inside.includes(': '))
      return 'a ": " inside ${{ }} ends the value for YAML: put the whole value in quotes, or write case(condition, a, b)';
    if (/[[{,]/.test(line.slice(0, mark))) return 'inside [ ] or { } a value with ${{ }} must be in quotes; or write it in block style';
    return undefined;
  }
  return /(^|[^$]){{/.test(line) ? 'a mark is written ${{ … }}, with a dollar sign; any other {{ must be in quotes' : undefined;
}

function lineAt(text: string, offset: number): { text: string; end: number } {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  const eol = text.indexOf('\n', offset);
  const end = eol < 0 ? text.length : eol;
  return { text: text.slice(start, Math.min(end, start + 2000)), end };
}
