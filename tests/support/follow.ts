import { readFileSync } from 'node:fs';
import path from 'node:path';
import { decodeHistory } from '../../activities/history/decode-history.ts';
import type { RunEvent } from '../../dsl/model/events.ts';
import type { WorkflowFacts } from '../../report/facts.ts';
import { createEventProjector } from '../../report/project-events.ts';
import type { Engine, Run } from './engine.ts';

type StepFinished = Extract<RunEvent, { type: 'step_finished' }>;

/** All events of a run that is over, from its histories as a follower reads them: children before what follows their end. */
export async function eventsOfRun(engine: Engine, started: Run): Promise<RunEvent[]> {
  const projector = createEventProjector();
  const events: RunEvent[] = [];
  const read = async (workflowId: string, runId: string): Promise<void> => {
    const history = await engine.client.workflow.getHandle(workflowId, runId).fetchHistory();
    const { facts, ...header }: WorkflowFacts = await decodeHistory(
      history.events ?? [],
      { workflowId, runId },
      engine.client.options.loadedDataConverter,
    );
    for (const fact of facts) {
      events.push(...projector.add(header, [fact]));
      if (fact.kind === 'child_started') await read(fact.workflowId, fact.runId);
    }
  };
  const { runId } = await started.handle.describe();
  await read(started.id, runId);
  return events;
}

/** Events of the results folder, without the numbers of their lines. */
export function writtenEvents(started: Run): RunEvent[] {
  const lines = readFileSync(path.join(started.info.resultsDir, 'events.ndjson'), 'utf8').trimEnd().split('\n');
  return lines.map((line) => {
    const { v: _v, seq: _seq, run: _run, ...event } = JSON.parse(line) as { v: 1; seq: number; run: string } & RunEvent;
    return event;
  });
}

/** Ends of the steps of a testcase, by id. */
export function stepEnds(events: readonly RunEvent[], testcase: string): ReadonlyMap<string, StepFinished> {
  const ends = events.filter((event): event is StepFinished => event.type === 'step_finished' && event.testcase === testcase);
  return new Map(ends.map((event) => [event.step, event]));
}

/** What an event says, without its time: live and recorded streams must agree on it. */
export const identity = ({ ts: _ts, ...rest }: RunEvent): string => JSON.stringify(rest, Object.keys(rest).toSorted());
