import { isoTime } from '../../report/text.ts';
import { EXIT } from '../../report/exit-code.ts';
import { notSupportedYet } from '../cli/cli-error.ts';
import type { CliIo } from '../cli/io.ts';
import type { ConnectionOptions } from '../cli/options.ts';
import { plural } from '../load-plan.ts';
import { liveFaults, type LiveFault } from '../live-faults.ts';
import { openServer } from '../open-server.ts';
import { visibleLine } from '../../report/terminal/terminal-text.ts';
import { clockText } from '../render/clock-text.ts';

/** `onetear faults [--json]`: faults of all runs that are not confirmed undone. */
export async function faults(
  options: ConnectionOptions & { readonly json?: true; readonly library?: string | true },
  io: CliIo,
): Promise<number> {
  if (options.library !== undefined) throw notSupportedYet('onetear faults --library');
  const server = await openServer({ ...options, worker: 'ignore' }, io, (text) => io.err(`${text}\n`));
  try {
    const live = await liveFaults(server);
    if (options.json) io.out(`${JSON.stringify({ v: 1, faults: live.map(toJson) }, null, 2)}\n`);
    else io.out(toText(live));
    return EXIT.passed;
  } finally {
    await server.connection.close();
  }
}

function toJson({ run, testcase, step, name, node, state, since, undo }: LiveFault): object {
  return { run, testcase, step, name, node, state, since: isoTime(since), undo };
}

function toText(live: readonly LiveFault[]): string {
  if (live.length === 0) return 'No live faults.\n';
  const blocks = live.map(({ run, testcase, name, node, state, since, undo }) => {
    const head = `${visibleLine(name)} on ${visibleLine(node)}: ${state} for ${clockText(Date.now() - since)} (run ${run}, ${visibleLine(testcase)})`;
    return `${head}\n  undo: ${visibleLine(undo)}\n`;
  });
  return `${blocks.join('')}${plural(live.length, 'live fault')}. Undo now: onetear recover --all\n`;
}
