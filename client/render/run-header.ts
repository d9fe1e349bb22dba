import type { Palette } from './colour.ts';
import type { RunView } from './run-view.ts';
import { oneLine } from './text-width.ts';

/** What runs, how to find it again, where to look: two lines at the top. */
export function runHeader(view: RunView, paint: Palette): string {
  const count = `${view.total} testcase${view.total === 1 ? '' : 's'}`;
  const head = `${paint.bold(oneLine(view.suite))} · ${count} · run ${paint.cyan(view.run)} · seed ${view.seed}\n`;
  return view.url === null ? head : `${head}${paint.dim(`Web UI ${view.url}`)}\n`;
}
