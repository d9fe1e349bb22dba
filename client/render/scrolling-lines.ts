import type { RunEvent } from '../../dsl/model/events.ts';
import { isBad } from '../../dsl/model/verdict.ts';
import { VERDICT_STYLE, type Palette } from '../../report/terminal/palette.ts';
import { renderTestcaseLine } from '../../report/terminal/render-testcase.ts';
import { visibleLine } from '../../report/terminal/terminal-text.ts';

/** What scrolls by for an event, with a line break at its end; empty for most. */
export function scrollingLines(run: string, event: RunEvent, palette: Palette, width: number): string {
  switch (event.type) {
    case 'run_started':
      return headerLines(run, event, palette);
    case 'testcase_finished':
      return `${renderTestcaseLine(event, palette, width)}\n`;
    case 'step_finished':
      return suiteHookLine(event, palette);
    case 'fault':
      return faultLine(event, palette);
    case 'testcase_started':
    case 'step_started':
    case 'run_finished':
    case 'error':
      return '';
  }
}

/** What runs, how to find it again, where to look. */
function headerLines(run: string, event: Extract<RunEvent, { type: 'run_started' }>, palette: Palette): string {
  const count = `${event.total} testcase${event.total === 1 ? '' : 's'}`;
  const head = `${palette.bold(visibleLine(event.suite))}: ${count}, run ${palette.cyan(run)}, seed ${event.seed}\n`;
  return event.url === null ? head : `${head}${palette.dim(event.url)}\n`;
}

/** A suite hook that went wrong decides over every testcase, so it gets a line of its own. */
function suiteHookLine(event: Extract<RunEvent, { type: 'step_finished' }>, palette: Palette): string {
  if (event.testcase !== '' || !isBad(event.verdict)) return '';
  const { symbol, colour } = VERDICT_STYLE[event.verdict];
  const reason = event.reason === null ? '' : `: ${visibleLine(event.reason)}`;
  return `${palette[colour](symbol)} suite hook ${visibleLine(event.title)} ${palette[colour](event.verdict)}${reason}\n`;
}

/** States of a fault that somebody who watches wants to know: in effect, undone, owed, void. */
function faultLine(event: Extract<RunEvent, { type: 'fault' }>, palette: Palette): string {
  const what = `${visibleLine(event.name)} on ${visibleLine(event.node)} (${visibleLine(event.testcase)})`;
  const reason = event.reason === null ? '' : `: ${visibleLine(event.reason)}`;
  if (event.state === 'verified') return `${palette.yellow('⚡')} fault in effect: ${what}\n`;
  if (event.state === 'recovered') return `${palette.dim(`⚡ fault undone: ${what}`)}\n`;
  if (event.state === 'void') return `${palette.yellow('⚡')} fault not in effect: ${what}${reason}\n`;
  if (event.state === 'owed') return `${palette.alarm(' recovery owed ')} ${what}${reason}\n`;
  return '';
}
