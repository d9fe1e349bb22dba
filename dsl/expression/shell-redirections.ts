import { endIsCertain, readDelimiter } from './here-document.ts';
import { copy, doubt, mark, MARK, refused } from './shell-scan.ts';
import type { Frame, Scan } from './shell-scan.ts';

/** `>&word`: bash expands the word a second time when it is no number, so that a quoted `$(…)` in it would run. */
export function duplication(scan: Scan): void {
  const behind = scan.text.slice(scan.at + 2);
  const plain = /^[ \t]*(?![ \t])[^ \t\n;|&<>()'"\\$`\0]*(?=[ \t\n;|&<>()]|$)/u.exec(behind)?.[0];
  // A word with quotes or expansions may go on behind a blank; then the rest of the line takes no marks.
  const word = plain ?? /^(?:\\[^\0]|[^\\\n])*/u.exec(behind)?.[0] ?? '';
  scan.duplicateUntil = scan.at + 2 + word.length;
}

/** `<`, `<<` (here-document), `<<<` (here-string of bash). */
export function redirection(scan: Scan, frame: Frame): void {
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
export function bodies(scan: Scan): void {
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
