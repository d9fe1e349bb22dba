import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunEvent } from '../dsl/model/events.ts';

type LastEvent = Extract<RunEvent, { type: 'run_finished' | 'error' }>;

/**
 * The stream of a finished run from its results folder; `undefined` when it is not there (moved, deleted, another host) or
 * does not end as a stream must.
 */
export function recordedEvents(results: string): { readonly events: readonly RunEvent[]; readonly last: LastEvent } | undefined {
  let text: string;
  try {
    text = readFileSync(join(results, 'events.ndjson'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const events = text.split('\n').filter(Boolean).map(readEvent);
  const last = events.at(-1);
  return last?.type === 'run_finished' || last?.type === 'error' ? { events, last } : undefined;
}

/** Without what numbers the lines of one stream: this is another one. */
function readEvent(line: string): RunEvent {
  const { v: _v, seq: _seq, run: _run, ...event } = JSON.parse(line) as { v: number; seq: number; run: string } & RunEvent;
  return event;
}
