import type { Diagnostic } from '../model/diagnostic.ts';
import type { Source } from './source-text.ts';

export type { Source } from './source-text.ts';

/** Lines shown before and after the one with the problem. */
const CONTEXT = 2;
/** Longer lines are cut around the problem. */
const MAX_WIDTH = 120;

/**
 * A diagnostic as people read it: `file:line:col: error CODE: message`, the lines around it with the place underlined, and the hint.
 * The text of a suite is hostile: whatever could steer a terminal is shown as an escape.
 */
export function renderDiagnostic(diagnostic: Diagnostic, sources: readonly Source[]): string {
  const { file, line, column } = diagnostic.location;
  // A mistake on the command line has its option as file: no line of a text.
  const place = file.startsWith('-') ? visible(file) : `${visible(file)}:${line}:${column}`;
  const head = `${place}: ${diagnostic.severity} ${diagnostic.code}: ${visible(diagnostic.message)}`;
  const source = sources.find((candidate) => candidate.file === file);
  const frame = source ? codeFrame(source.text, line, column, diagnostic.length ?? 1) : [];
  const hint = diagnostic.hint === undefined ? [] : [`  hint: ${visible(diagnostic.hint)}`];
  return [head, ...frame, ...hint].join('\n');
}

function codeFrame(text: string, line: number, column: number, length: number): string[] {
  const first = Math.max(1, line - CONTEXT);
  const lines = linesFrom(text, first, line + CONTEXT - first + 1);
  const width = String(first + lines.length - 1).length;
  // All lines are cut at the same column, so that the underlined place stays in view and indentation stays comparable.
  const cut = column > MAX_WIDTH - 20 ? column - 40 : 0;
  const frame: string[] = [];
  lines.forEach((content, index) => {
    const number = first + index;
    const isPlace = number === line;
    const shown = shorten(content, cut);
    // Nothing after the last line end is not worth a line.
    if (!isPlace && number > line && index === lines.length - 1 && content === '') return;
    frame.push(`${isPlace ? '>' : ' '} ${String(number).padStart(width)} | ${shown}`.trimEnd());
    if (!isPlace) return;
    const before = displayWidth(shorten(content.slice(0, column - 1), cut));
    const marked = content.slice(column - 1, column - 1 + length);
    const carets = Math.min(Math.max(1, displayWidth(visible(marked))), MAX_WIDTH);
    frame.push(`  ${' '.repeat(width)} | ${' '.repeat(before)}${'^'.repeat(carets)}`);
  });
  return frame;
}

function linesFrom(text: string, first: number, count: number): string[] {
  let start = 0;
  for (let line = 1; line < first; line++) {
    const eol = text.indexOf('\n', start);
    if (eol < 0) return [];
    start = eol + 1;
  }
  const lines: string[] = [];
  while (lines.length < count) {
    const eol = text.indexOf('\n', start);
    lines.push(text.slice(start, eol < 0 ? text.length : eol));
    if (eol < 0) break;
    start = eol + 1;
  }
  return lines;
}

function shorten(line: string, cut: number): string {
  const rest = cut > 0 ? `…${line.slice(cut)}` : line;
  return visible(rest.length > MAX_WIDTH ? `${rest.slice(0, MAX_WIDTH)}…` : rest);
}

// oxlint-disable-next-line no-control-regex -- these are what must not reach a terminal
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\p{Surrogate}/gu;

/** Control characters, bidi controls, lone surrogates and the like as `\u…`; a tab as two blanks. */
export function visible(text: string): string {
  return text.replaceAll('\t', '  ').replaceAll(HIDDEN, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Columns on a terminal: wide characters of East Asia and emoji take two, marks that combine take none. */
function displayWidth(text: string): number {
  let width = 0;
  for (const char of text) {
    if (/\p{Mn}|\p{Me}/u.test(char)) continue;
    width +=
      /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
        char,
      )
        ? 2
        : 1;
  }
  return width;
}
