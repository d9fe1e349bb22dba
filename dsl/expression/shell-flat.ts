import { copy, doubt, mark, MARK, refused, unbalanced } from './shell-scan.ts';
import type { Scan } from './shell-scan.ts';

/** A back-tick ends at the next one that is not escaped, whatever quotes there are between. */
export function backquote(scan: Scan): void {
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
export function ansi(scan: Scan): void {
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

export function comment(scan: Scan): void {
  scan.only = undefined;
  while (scan.at < scan.text.length && scan.text[scan.at] !== '\n') {
    if (scan.text[scan.at] === MARK) mark(scan, { kind: 'comment' });
    else copy(scan, 1);
  }
}
