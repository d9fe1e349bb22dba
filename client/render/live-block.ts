/** A small block at the bottom of the terminal that is drawn over; what is printed goes above it and scrolls. */
export interface LiveBlock {
  /** Prints finished text above the block. Must end in a line break. */
  readonly print: (text: string) => void;
  /** Asks for the block to be drawn again soon: at most ten times a second, and only when its lines changed. */
  readonly refresh: () => void;
  /** Removes the block and gives the cursor back. Safe to call twice. */
  readonly close: () => void;
}

const HIDE_CURSOR = '\u001B[?25l';
const SHOW_CURSOR = '\u001B[?25h';
/** Synchronized update: a terminal that knows it shows the frame in one piece, others ignore it. */
const BEGIN = '\u001B[?2026h';
const END = '\u001B[?2026l';
const CLEAR_BELOW = '\u001B[0J';

const DRAW_EVERY_MS = 100;

/**
 * `lines` gives the block's lines, already cut to the width. The cursor comes back on every way out of the process but
 * SIGKILL: the exit hook covers signals, because their handlers end in `process.exit`.
 */
export function createLiveBlock(write: (text: string) => void, lines: () => readonly string[]): LiveBlock {
  let height = 0;
  let shown = '';
  let hidden = false;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let lastDraw = 0;

  const erase = (): string => (height === 0 ? '' : `\u001B[${height}A\r${CLEAR_BELOW}`);
  const showCursor = (): void => {
    if (hidden) write(SHOW_CURSOR);
    hidden = false;
  };
  process.once('exit', showCursor);

  const draw = (above: string): void => {
    const block = lines();
    const text = block.map((line) => `${line}\n`).join('');
    lastDraw = Date.now();
    if (above === '' && text === shown) return;
    write(`${BEGIN}${hidden ? '' : HIDE_CURSOR}${erase()}${above}${text}${END}`);
    hidden = true;
    height = block.length;
    shown = text;
  };

  return {
    print: (text) => {
      if (closed) write(text);
      else draw(text);
    },
    refresh: () => {
      if (closed || timer) return;
      timer = setTimeout(
        () => {
          timer = undefined;
          draw('');
        },
        Math.max(0, DRAW_EVERY_MS - (Date.now() - lastDraw)),
      );
    },
    close: () => {
      if (closed) return;
      closed = true;
      clearTimeout(timer);
      if (height > 0) write(`${BEGIN}${erase()}${END}`);
      showCursor();
      process.off('exit', showCursor);
    },
  };
}
