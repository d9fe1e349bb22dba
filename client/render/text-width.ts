import { printable } from '../../report/text.ts';

/** Hostile text on one line: control characters visible, line breaks as `⏎`. */
export function oneLine(text: string): string {
  return printable(text).replaceAll('\n', '⏎').replaceAll('\t', ' ');
}

/** Columns a text takes on a terminal: wide East Asian characters and emoji are two, combining marks none, styles nothing. */
export function textWidth(text: string): number {
  let width = 0;
  // oxlint-disable-next-line no-control-regex
  for (const character of text.replace(/\u001B\[[0-9;]*m/g, '')) width += characterWidth(character);
  return width;
}

/** Cuts to `columns`, with `…` where something is missing. Only for text without styles. */
export function fit(text: string, columns: number): string {
  if (columns <= 0) return '';
  if (textWidth(text) <= columns) return text;
  let width = 0;
  let kept = '';
  for (const character of text) {
    width += characterWidth(character);
    if (width > columns - 1) break;
    kept += character;
  }
  return `${kept}…`;
}

const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1faff],
  [0x20000, 0x3fffd],
];

function characterWidth(character: string): number {
  if (/\p{Mark}|\u200D|\uFE0F/u.test(character)) return 0;
  const code = character.codePointAt(0) as number;
  return WIDE.some(([first, last]) => code >= first && code <= last) ? 2 : 1;
}
