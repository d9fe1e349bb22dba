import type { Reader } from './reader.ts';
import type { ScalarNode } from './yaml-node.ts';
import { giveUp, scalar } from './reader.ts';
import { GREATER, LF, SPACE, TAB, isDocumentMarker, nextContent } from './scan.ts';

/** A literal (`|`) or folded (`>`) block scalar; ends at the next content. */
export function readBlockScalar(r: Reader, parentColumn: number): ScalarNode {
  const { text } = r;
  const start = r.pos;
  const header = /[|>]([-+]?)(?: +#[^\n]*| *)(?:\n|$)/y;
  header.lastIndex = start;
  const match = header.exec(text);
  // An explicit indentation is left to the slow parser.
  if (!match) throw giveUp(start, 'this block text has an unusual header');
  const [all, chomp = ''] = match;
  const isFolded = text.charCodeAt(start) === GREATER;
  const found = readLines(r, start + all.length, parentColumn);
  const value = isFolded ? foldedText(found.lines, found.used) : found.lines.slice(0, found.used).join('\n');
  const end = r.pos;
  // A text that ends by indentation may be followed by less indented text only where the caller allows it.
  nextContent(r);
  return scalar(r, value + ending(chomp, found.lines.length - found.used), start, end);
}

/** Clip, strip (`-`) or keep (`+`) the line ends at the end; `blanks` = empty lines there. */
function ending(chomp: string, blanks: number): string {
  if (chomp === '-') return '';
  return chomp === '+' ? '\n'.repeat(blanks + 1) : '\n';
}

interface Lines {
  /** Without the indentation of the block: what is indented more starts with blanks. */
  readonly lines: readonly string[];
  /** Without the empty lines at the end. */
  readonly used: number;
}

/** The lines of the block from `p` on; ends at the first line that is indented less. */
function readLines(r: Reader, from: number, parentColumn: number): Lines {
  const { text } = r;
  const lines: string[] = [];
  let p = from;
  let indent = -1;
  let leading = 0;
  let used = 0;
  let terminated = true;
  while (p < text.length) {
    let q = p;
    while (text.charCodeAt(q) === SPACE) q++;
    const c = text.charCodeAt(q);
    const spaces = q - p;
    const hasContent = c !== LF && q < text.length;
    if (hasContent) {
      if (spaces <= parentColumn || spaces < indent) break;
      if (spaces === 0 && isDocumentMarker(text, p)) break;
      if (indent < 0) {
        if (leading > spaces || c === TAB) throw giveUp(q, 'the first line of a block text sets its indentation');
        indent = spaces;
      }
    } else if (indent < 0) {
      leading = Math.max(leading, spaces);
    }
    const eol = hasContent ? text.indexOf('\n', q) : q < text.length ? q : -1;
    terminated = eol >= 0;
    const end = terminated ? eol : text.length;
    const contentAt = indent < 0 ? end : Math.min(p + indent, end);
    lines.push(text.slice(contentAt, end));
    p = end + 1;
    if (hasContent) used = lines.length;
    // Blanks beyond the indentation at the end of the block count as content there: rare, and left to the slow parser.
  }
  r.pos = Math.min(p, text.length);
  const endsOddly = lines.slice(used).some((line) => line !== '') || (!terminated && used < lines.length);
  if (used === 0 || endsOddly) throw giveUp(from - 1, 'this block text ends in an unusual way');
  return { lines, used };
}

/** Lines of the same indentation become one; empty lines and lines that are indented more keep their line ends. */
function foldedText(lines: readonly string[], used: number): string {
  const parts: string[] = [];
  let first = 0;
  while (lines[first] === '') {
    parts.push('\n');
    first++;
  }
  let separator = '';
  let moreIndented = false;
  for (let i = first; i < used; i++) {
    const line = lines[i] as string;
    const c = line.charCodeAt(0);
    if (c === SPACE || c === TAB) {
      if (separator === ' ') separator = '\n';
      else if (!moreIndented && separator === '\n') separator = '\n\n';
      parts.push(separator, line);
      separator = '\n';
      moreIndented = true;
    } else if (line === '') {
      if (separator === '\n') parts.push('\n');
      else separator = '\n';
    } else {
      parts.push(separator, line);
      separator = ' ';
      moreIndented = false;
    }
  }
  return parts.join('');
}
