import { readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WORKFLOW } from '../../dsl/model/workflow-io.ts';
import { dataConverter } from '../../worker/data-converter.ts';
import { silenceRuntime, workflowBundle } from '../support/engine.ts';
import { HISTORIES, recordHistories } from './record-histories.ts';

interface Recorded {
  readonly workflowId: string;
  readonly history: object;
}

const load = (name: string): Recorded => JSON.parse(gunzipSync(readFileSync(`${HISTORIES}${name}`)).toString()) as Recorded;
const names = (): string[] => readdirSync(HISTORIES).filter((name) => name.endsWith('.json.gz'));

/** `all` = the whole corpus anew, any other value = only what it does not have yet. */
const recording = process.env['ONETEAR_RECORD_HISTORIES'];
beforeAll(async () => {
  silenceRuntime();
  if (recording !== undefined) await recordHistories(recording === 'all');
}, 240_000);

describe('recorded histories', () => {
  it('cover every workflow type', () => {
    for (const type of Object.values(WORKFLOW))
      expect(names().filter((name) => name.startsWith(`${type}-`)).length, type).toBeGreaterThan(1);
  });

  it('replay with the workflows of today', async () => {
    const all = names().map((name) => ({ name, ...load(name) }));
    const byId = new Map(all.map(({ name, workflowId }) => [workflowId, name]));
    const outcomes: { readonly name: string | undefined; readonly error: string | undefined }[] = [];
    const histories = all.map(({ workflowId, history }) => ({ workflowId, history }));
    const results = Worker.runReplayHistories({ workflowBundle: await workflowBundle(), dataConverter, replayName: 'corpus' }, histories);
    for await (const { workflowId, error } of results) outcomes.push({ name: byId.get(workflowId), error: error && String(error) });
    expect(outcomes.filter((outcome) => outcome.error !== undefined)).toEqual([]);
    expect(outcomes).toHaveLength(all.length);
  }, 60_000);

  it('would notice a workflow that decides otherwise', async () => {
    const { workflowId, history } = load('testcase-steps-serial.json.gz');
    const changed = JSON.parse(JSON.stringify(history).replaceAll('"runCommand"', '"otherCommand"')) as object;
    const results = Worker.runReplayHistories({ workflowBundle: await workflowBundle(), dataConverter }, [
      { workflowId, history: changed },
    ]);
    const errors: unknown[] = [];
    for await (const result of results) errors.push(result.error);
    expect(errors).toEqual([expect.objectContaining({ name: 'DeterminismViolationError' })]);
  }, 30_000);
});

afterAll(() => {
  if (recording !== undefined) process.stderr.write(`recorded ${names().length} histories\n`);
});
