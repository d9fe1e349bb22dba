import { createLiveState } from '../../report/terminal/render-live.ts';
import type { Palette } from '../../report/terminal/palette.ts';
import { cutColumns } from '../../report/terminal/terminal-text.ts';
import type { CliIo } from '../cli/io.ts';
import type { LinkState } from '../follow/server-link.ts';
import { linkText } from './clock-text.ts';
import type { EndText } from './end-text.ts';
import { createLiveBlock } from './live-block.ts';
import type { Reporter } from './reporter.ts';
import { scrollingLines } from './scrolling-lines.ts';

/** For a terminal: finished lines scroll away above, what runs now stands in a small block below. */
export function createLiveReporter(run: string, io: CliIo, palette: Palette, end: EndText): Reporter {
  const state = createLiveState();
  let link: LinkState = { connected: true, since: Date.now() };
  // One column less: a terminal that wraps in its last column would break the count of lines.
  const width = (): number => Math.max(20, io.size().columns - 1);
  const lines = (): readonly string[] => {
    const block = state.render(Date.now(), palette, width()).slice(0, Math.max(2, Math.floor(io.size().rows / 3)));
    return link.connected || block.length === 0 ? block : [palette.yellow(cutColumns(linkText(link), width())), ...block.slice(0, 7)];
  };
  const block = createLiveBlock(io.out, lines);
  const clock = setInterval(block.refresh, 1000);
  const close = (): void => {
    clearInterval(clock);
    block.close();
  };
  return {
    event: (event) => {
      state.apply(event);
      end.add(event);
      const text = scrollingLines(run, event, palette, width());
      if (event.type === 'run_finished' || event.type === 'error') close();
      else if (text !== '') block.print(text);
      else block.refresh();
      if (event.type === 'run_finished') io.out(end.text(event, palette, width()));
      if (event.type === 'error') io.err(`error: ${event.message}\n`);
    },
    link: (next) => {
      link = next;
      block.refresh();
    },
    note: (text) => block.print(`${text}\n`),
    close,
  };
}
