import { readRunRecord } from '../../activities/store/run-store.ts';
import type { CliIo } from '../cli/io.ts';
import type { ConnectionOptions, OutputMode } from '../cli/options.ts';
import { followToEnd } from '../follow-to-end.ts';
import { homeOf } from '../home.ts';
import { openServer, reviveKeeper, type OpenServer } from '../open-server.ts';
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
  const recorded = record.status === 'running' ? undefined : recordedEvents(record.results);
  if (recorded) {
    recorded.events.forEach(reporter.event);
    reporter.close();
    return recorded.last.exit;
  }
  const choice = { ...options, worker: 'ignore' } as const;
  const server = await openServer(choice, io, reporter.note);
  const reopen = (): Promise<OpenServer> => openServer(choice, io, () => undefined);
  const root = await rootOf(server, record);
  return followToEnd({
    run: record.run,
    root,
    server,
    reopen,
    keepAlive: () => reviveKeeper(choice, io),
    reporter,
    resultsProblem: async () => (await readRunRecord(homeOf(io), record.run))?.resultsProblem,
    interrupts: 'detach',
  });
}
