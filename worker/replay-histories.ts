import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { readWorkflowBundle } from './create-worker.ts';
import { dataConverterFor } from './data-converter.ts';
import { readEncryption } from './encryption-keys.ts';

/** One recorded history: protobuf JSON, as archived. */
export interface RecordedHistory {
  readonly workflowId: string;
  readonly json: string;
}

/** What became of one history: the workflow code of this build makes the same commands, or not. */
export interface ReplayOutcome {
  readonly workflowId: string;
  /** Why it cannot be replayed; absent when it can. */
  readonly problem?: string;
}

/** Replays histories against the workflow code of this build, one after another. Needs no server. Not for a process that is a worker. */
export async function* replayHistories(histories: AsyncIterable<RecordedHistory>): AsyncGenerator<ReplayOutcome> {
  // The replay worker tells about its own start and end; only what goes wrong is of interest, and that is in the outcome.
  Runtime.install({ logger: new DefaultLogger('ERROR', () => undefined), shutdownSignals: [] });
  const encryption = readEncryption(process.env);
  const workflowBundle = { code: readWorkflowBundle(undefined) };
  const dataConverter = dataConverterFor(encryption, 'replay');
  for await (const { workflowId, json } of histories) {
    try {
      await Worker.runReplayHistory({ workflowBundle, dataConverter }, JSON.parse(json), workflowId);
      yield { workflowId };
    } catch (error) {
      yield { workflowId, problem: error instanceof Error ? error.message : String(error) };
    }
  }
}
