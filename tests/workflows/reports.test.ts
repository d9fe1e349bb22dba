import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeHistory } from '../../activities/history/decode-history.ts';
import { homePaths } from '../../activities/store/home-paths.ts';
import { readHistory, readRunRecord } from '../../activities/store/run-store.ts';
import { writeReports } from '../../activities/store/write-reports.ts';
import type { RunEvent } from '../../dsl/model/events.ts';
import type { WorkflowFacts } from '../../report/facts.ts';
import { createEventProjector } from '../../report/project-events.ts';
import type { FinishedRun } from '../../report/report-model.ts';
import type { Engine, Run } from '../support/engine.ts';
import { startEngine } from '../support/engine.ts';
import { chaos, hook, inject, plan, run, testcase } from '../support/plans.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
}, 60_000);
afterAll(() => engine?.close());

/** All events of a run, read from the server as a follower would: the suite first, then what it names. */
async function followRun(started: Run): Promise<RunEvent[]> {
  const projector = createEventProjector();
  const events: RunEvent[] = [];
  const read = async (workflowId: string, runId: string): Promise<void> => {
    const history = await engine.client.workflow.getHandle(workflowId, runId).fetchHistory();
    const { facts, ...header }: WorkflowFacts = await decodeHistory(
      history.events ?? [],
      { workflowId, runId },
      engine.client.options.loadedDataConverter,
    );
    events.push(...projector.add(header, facts));
  };
  const { runId } = await started.handle.describe();
  await read(started.id, runId);
  for (let open = projector.open(); open.length > 0 && !projector.finished(); open = projector.open()) {
    for (const each of open) await read(each.workflowId, each.runId);
  }
  return events;
}

const identity = ({ ts: _ts, ...rest }: RunEvent): string => JSON.stringify(rest, Object.keys(rest).toSorted());

describe('a run on a real server', () => {
  test('leaves records, reports and histories that all tell the same', async () => {
    const { run: started, result } = await engine.run(
      plan({
        hooks: { before: [hook('echo suite')], after: [], onFail: [] },
        testcases: [
          testcase('good', [run('say', 'echo hello'), run('flood', "head -c 100000 /dev/zero | tr '\\0' x")], {
            hooks: { before: [hook('echo first')], after: [hook('echo last')], onFail: [] },
          }),
          testcase('hostile <&> "x"', [run('bad', "printf 'x ]]> <b>&amp; \\033[31m \\001 </script>\\n'; exit 1"), run('never', 'true')]),
          testcase('needy', [run('x', 'true')], { needs: ['hostile <&> "x"'] }),
        ],
      }),
    );
    expect(result.verdict).toBe('failed');
    const results = started.info.resultsDir;
    const lines = readFileSync(path.join(results, 'events.ndjson'), 'utf8').trimEnd().split('\n');
    const written = lines.map((line) => {
      const { v: _v, seq: _seq, run: _run, ...event } = JSON.parse(line) as { v: 1; seq: number; run: string } & RunEvent;
      return event;
    });
    const live = await followRun(started);
    expect(live.map(identity).toSorted()).toEqual(written.map(identity).toSorted());
    expect(live.at(-1)).toMatchObject({ type: 'run_finished', exit: 1, counts: { passed: 1, failed: 1, skipped: 1 } });
    const flood = written.find((event) => event.type === 'step_finished' && event.step === 'flood');
    expect(flood).toMatchObject({
      results: [{ stdout_bytes: 100_000, truncated: true, artifact: 'artifacts/good.a1/flood/local.stdout.txt' }],
    });
    expect(statSync(path.join(results, 'artifacts/good.a1/flood/local.stdout.txt')).size).toBe(100_000);
    const allure = readdirSync(path.join(results, 'allure-results'));
    expect(allure.filter((name) => name.endsWith('-result.json'))).toHaveLength(3);
    expect(allure.filter((name) => name.endsWith('-container.json'))).toHaveLength(1);

    const home = homePaths(path.join(engine.dir, 'home'));
    const record = await readRunRecord(home, started.info.run);
    expect(record).toMatchObject({ status: 'finished', seed: started.info.seed, finished: { exit: 1 } });
    expect(record?.steps).toMatchObject([{ step: 'suite.before#1', verdict: 'passed' }]);
    for (const name of ['suite', 'good.a1', 'hostile%20%3C%26%3E%20%22x%22.a1']) {
      expect(JSON.parse((await readHistory(home, started.info.run, name))!)).toMatchObject({ events: expect.any(Array) });
    }
    // Made again elsewhere from the records alone, without a server: the same bytes.
    const again = path.join(engine.dir, 'again');
    await writeReports({ home, storeDir: path.join(engine.dir, 'store'), run: record as FinishedRun, resultsDir: again });
    for (const name of ['events.ndjson', 'junit.xml', 'ctrf.json', 'summary.md', 'run.json']) {
      expect(readFileSync(path.join(again, name), 'utf8')).toBe(readFileSync(path.join(results, name), 'utf8'));
    }
  }, 60_000);

  test('tells the life of a fault, and a testcase that was terminated as broken', async () => {
    const started = await engine.start(
      plan({
        strategy: { maxParallel: 2, failFast: false },
        chaos: [chaos('kill', 'touch "$WORK/hurt"', 'rm -f "$WORK/hurt"')],
        testcases: [
          testcase('faulty', [inject('kill'), run('look', 'test -e "$WORK/hurt"')]),
          testcase('doomed', [run('wait', 'touch "$WORK/doomed"; sleep 30')]),
        ],
      }),
    );
    const until = Date.now() + 20_000;
    while (Date.now() < until) {
      const there = readdirSync(engine.dir).includes('doomed');
      if (there) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await started.testcase('doomed').terminate('by hand');
    const result = await started.result();
    expect(Object.fromEntries(result.testcases.map((each) => [each.id, each.verdict]))).toEqual({ faulty: 'passed', doomed: 'broken' });
    const events = await followRun(started);
    const faults = events.flatMap((event) => (event.type === 'fault' ? [`${event.step} ${event.node} ${event.state}`] : []));
    expect(faults).toEqual(['planned', 'injected', 'verified', 'recovering', 'recovered'].map((state) => `kill local ${state}`));
    const ends = events.flatMap((event) =>
      event.type === 'testcase_finished' ? [`${event.testcase} ${event.verdict} ${event.reason}`] : [],
    );
    expect(ends.toSorted()).toEqual(['doomed broken workflow terminated: by hand', 'faulty passed null']);
    const written = readFileSync(path.join(started.info.resultsDir, 'events.ndjson'), 'utf8').trimEnd().split('\n');
    expect(written).toHaveLength(events.length);
    const names = readdirSync(path.join(started.info.resultsDir, 'testcases'));
    expect(names).toEqual(['doomed.a1.json', 'faulty.a1.json']);
  }, 90_000);
});
