import { printable, stripAnsi } from '../text.ts';

/** Output for a terminal: control characters in visible form, so that no command can move the reader's cursor or hide text. */
export function visible(text: string): string {
  return printable(text);
}

/** One line of visible text: white space of any kind becomes a blank. */
export function visibleLine(text: string): string {
  return printable(text.replaceAll(/[\r\n\t]+/gu, ' '))
    .replaceAll(/ {2,}/gu, ' ')
    .trim();
}

/** Terminal columns of a text without escape sequences: wide East Asian characters and emoji take two, combining marks none. */
export function columns(text: string): number {
  let width = 0;
  for (const char of stripAnsi(text)) width += charColumns(char);
  return width;
}

/** The text cut to `width` columns, with an ellipsis. The text must hold no escape sequences. */
export function cutColumns(text: string, width: number): string {
  if (columns(text) <= width) return text;
  let out = '';
  let used = 0;
  for (const char of text) {
    const next = charColumns(char);
    if (used + next > width - 1) break;
    out += char;
    used += next;
  }
  return `${out}…`;
}

/** Pads with blanks to `width` columns. */
export function padColumns(text: string, width: number, side: 'left' | 'right' = 'right'): string {
  const blanks = ' '.repeat(Math.max(0, width - columns(text)));
  return side === 'right' ? text + blanks : blanks + text;
}

const ZERO = /^(?:\p{Mark}|[\u200b-\u200f])$/u;
const WIDE =
  /^(?:\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Emoji_Presentation}|[\u3000-\u303e\uff01-\uff60\uffe0-\uffe6])$/u;

function charColumns(char: string): number {
  const code = char.codePointAt(0) ?? 0;
  if (code < 0x300) return 1;
  if (ZERO.test(char)) return 0;
  return WIDE.test(char) ? 2 : 1;
}

/** `850ms`, `12.3s`, `3m05s`, `2h04m`. */
export function shortDuration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))}ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)}s`;
  const seconds = Math.round(ms / 1000);
  const pad = (value: number): string => String(value).padStart(2, '0');
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${pad(seconds % 60)}s`;
  return `${Math.floor(seconds / 3600)}h${pad(Math.floor((seconds % 3600) / 60))}m`;
}
