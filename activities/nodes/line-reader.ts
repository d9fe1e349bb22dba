/**
 * Cuts the output of a node's shell into lines. Reports of supervisors, `\x01…\x01`, are taken out wherever they stand: they come from other
 * processes and may fall into the middle of a long line. Lines never hold a byte 1.
 */
export interface LineReader {
  push(text: string): void;
  /** Characters of the unfinished line. */
  readonly pending: number;
}

/** Longest report; more without an end is not one. */
const REPORT_LIMIT = 1_000;

export function createLineReader(onLine: (line: string) => void, onReport: (report: string) => void): LineReader {
  /** Pieces of the unfinished line: joined once, because a line may be megabytes long. */
  let parts: string[] = [];
  let pending = 0;
  let report: string | undefined;

  const takeText = (text: string): void => {
    let from = 0;
    for (;;) {
      const at = text.indexOf('\n', from);
      if (at === -1) break;
      parts.push(text.slice(from, at));
      const line = parts.join('');
      parts = [];
      pending = 0;
      from = at + 1;
      onLine(line);
    }
    if (from < text.length) {
      parts.push(from === 0 ? text : text.slice(from));
      pending += text.length - from;
    }
  };

  return {
    get pending() {
      return pending;
    },
    push(text) {
      let from = 0;
      for (;;) {
        const at = text.indexOf('\x01', from);
        const piece = text.slice(from, at === -1 ? undefined : at);
        if (report === undefined) takeText(piece);
        else if (report.length < REPORT_LIMIT) report += piece;
        if (at === -1) return;
        from = at + 1;
        if (report === undefined) report = '';
        else {
          const whole = report;
          report = undefined;
          onReport(whole);
        }
      }
    },
  };
}
