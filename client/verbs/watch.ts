import type { CliIo } from '../cli/io.ts';
import type { ConnectionOptions, OutputMode } from '../cli/options.ts';
import { followToEnd } from '../follow-to-end.ts';
import { homeOf } from '../home.ts';
import { openServer, reopenServer } from '../open-server.ts';
import { createReporter } from '../render/output-mode.ts';
import { recordedEvents } from '../recorded-events.ts';
import { readRun } from '../runs-index.ts';
import { rootOf } from '../root-workflow.ts';

export interface WatchOptions extends ConnectionOptions {
  readonly output?: OutputMode;
  readonly color?: boolean | undefined;
}

/**
 * `onetear watch RUN`: the run's events from the first. Of a finished run they come from its events.ndjson, so it needs no
 * server; a running one is followed. Ctrl-C only detaches.
 */
export async function watch(name: string, options: WatchOptions, io: CliIo): Promise<number> {
  const record = await readRun(homeOf(io), name);
  const reporter = createReporter(record.run, options, io);
  const recorded = record.status === 'running' ? undefined : await recordedEvents(record);
  if (recorded) {
    recorded.forEach(reporter.event);
    reporter.close();
    return recorded.at(-1)?.exit ?? 0;
  }
  const choice = { ...options, worker: true };
  const server = await openServer(choice, io, reporter.note);
  const root = await rootOf(server, record);
  return followToEnd({ run: record.run, root, server, reopen: () => reopenServer(choice, io), reporter, interrupts: 'detach' });
}
