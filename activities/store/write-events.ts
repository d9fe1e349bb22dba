import path from 'node:path';
import type { RunEvent } from '../../dsl/model/events.ts';
import type { TestcaseRecord } from '../../dsl/model/record.ts';
import { recordEvents, runFrameEvents, suiteStepEvents } from '../../report/record-events.ts';
import type { FinishedRun } from '../../report/report-model.ts';
import type { TextSink } from './atomic-file.ts';
import { writeTextAtomic } from './atomic-file.ts';

/** Where to find a record again, and when it began. */
export interface RecordPlace {
  readonly startedAt: number;
  readonly read: () => Promise<TestcaseRecord>;
}

/** One line of the stream as it stands in events.ndjson; the last one is run.json too. */
export function eventLine(run: string, seq: number, event: RunEvent): string {
  const { type, ts, ...rest } = event;
  return JSON.stringify({ v: 1, type, ts, run, seq, ...rest });
}

/**
 * Writes the whole stream of a run from its records, in the order of time. Only the records of attempts that overlap are in memory.
 * Resolves with the last line.
 */
export async function writeEvents(resultsDir: string, run: FinishedRun, places: readonly RecordPlace[], beat: () => void): Promise<string> {
  let last = '';
  await writeTextAtomic(path.join(resultsDir, 'events.ndjson'), async (sink) => {
    let seq = 0;
    const put = async (to: TextSink, event: RunEvent): Promise<void> => {
      seq += 1;
      last = eventLine(run.run, seq, event);
      await to.write(`${last}\n`);
    };
    const frame = runFrameEvents(run);
    await put(sink, frame.first);
    for await (const event of mergeByTime(suiteStepEvents(run), places, beat)) await put(sink, event);
    await put(sink, frame.last);
  });
  return last;
}

interface Stream {
  readonly events: readonly RunEvent[];
  next: number;
}

async function* mergeByTime(suite: readonly RunEvent[], places: readonly RecordPlace[], beat: () => void): AsyncGenerator<RunEvent> {
  const waiting = places.toSorted((a, b) => a.startedAt - b.startedAt);
  const active: Stream[] = suite.length === 0 ? [] : [{ events: suite, next: 0 }];
  let opened = 0;
  for (;;) {
    let first = earliest(active);
    // A record is opened when its time has come, not before.
    while (opened < waiting.length) {
      const place = waiting[opened] as RecordPlace;
      const now = first?.events[first.next]?.ts;
      if (now !== undefined && Date.parse(now) < place.startedAt) break;
      opened += 1;
      beat();
      active.push({ events: recordEvents(await place.read()), next: 0 });
      first = earliest(active);
    }
    if (!first) return;
    const event = first.events[first.next] as RunEvent;
    first.next += 1;
    if (first.next >= first.events.length) active.splice(active.indexOf(first), 1);
    yield event;
  }
}

function earliest(streams: readonly Stream[]): Stream | undefined {
  let best: Stream | undefined;
  for (const stream of streams) {
    const ts = stream.events[stream.next]?.ts;
    if (ts !== undefined && (best === undefined || ts < (best.events[best.next]?.ts ?? ''))) best = stream;
  }
  return best;
}
