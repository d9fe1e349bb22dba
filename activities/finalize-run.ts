import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { slug } from '../dsl/expand/slug.ts';
import type { RunRecord } from '../dsl/model/record.ts';
import type { TestcaseSummary } from '../dsl/model/result.ts';
import type { FinalizeRunInput, SuiteInput } from '../dsl/model/workflow-io.ts';
import { WORKFLOW } from '../dsl/model/workflow-io.ts';
import { runFinished, workflowUrl } from '../report/event-builders.ts';
import type { WorkflowFacts } from '../report/facts.ts';
import { createJournalReader } from '../report/journal-reader.ts';
import { stepRecords, testcaseInputOf } from '../report/project-record.ts';
import { skippedRecord } from '../report/skipped-record.ts';
import type { FinishedRun } from '../report/report-model.ts';
import type { ActivityDeps } from './deps.ts';
import { finalizeAttempt } from './finalize-attempt.ts';
import type { Execution } from './history/decode-history.ts';
import { fetchFacts, historyJson } from './history/fetch-facts.ts';
import { forgetJobs } from './nodes/job.ts';
import { nodePool } from './nodes/node-pool.ts';
import { forgetSecrets } from './secrets/run-secrets.ts';
import { sweepSecrets } from './secrets/sweep-secrets.ts';
import type { HomePaths } from './store/home-paths.ts';
import { homePaths } from './store/home-paths.ts';
import { resultsProblem } from './store/results-problem.ts';
import { removeRunSecrets } from './store/run-secrets-file.ts';
import { listAttempts, writeHistory, writeRunRecord, writeTestcaseRecord } from './store/run-store.ts';
import { writeReports } from './store/write-reports.ts';

/** Cleaning up must not hold up a run that is over. */
const FORGET_WITHIN_MS = 5_000;
const FORGET_AT_ONCE = 16;

/**
 * Activity `finalizeRun`, the last of a run: completes the records, writes the run's own record and all reports, and forgets the run's
 * jobs on its nodes and its secrets. Every file is a pure function of histories and of its input, whole or not there: if this process dies at any line,
 * the next attempt writes the same files again. What cannot be cleaned on a node is logged, never the end of a run.
 */
export function createFinalizeRun(deps: ActivityDeps): (input: FinalizeRunInput) => Promise<void> {
  return async (input) => {
    const context = Context.current();
    const beat = (): void => context.heartbeat();
    const home = homePaths(deps.homeDir);
    const suite = await fetchFacts(context.client, input.suiteWorkflow);
    beat();
    await completeRecords(context.client, home, input, suite.facts, beat);
    await writeHistory(home, input.run.run, 'suite', historyJson(suite.history));
    const record = finishedRun(input, suite.facts, await fanoutsOf(context.client, suite.facts));
    await writeRunRecord(home, record);
    await writeResults(deps, home, record, beat);
    await forgetRun(deps, input);
    await removeSecrets(deps, context.client, input);
  };
}

/**
 * The results folder is a projection, and somebody else's disk: what its file system refuses stands in the record for the client to say,
 * and never takes the verdict with it.
 */
async function writeResults(deps: ActivityDeps, home: HomePaths, record: FinishedRun, beat: () => void): Promise<void> {
  try {
    const { missing } = await writeReports({ home, storeDir: deps.storeDir, run: record, resultsDir: record.results, beat });
    for (const path of missing) deps.log.warn('the store has lost an output', { run: record.run, path });
  } catch (error) {
    const problem = resultsProblem(error, record.results);
    if (problem === undefined) throw error;
    deps.log.warn('the results were not written', { run: record.run, problem });
    await writeRunRecord(home, { ...record, resultsProblem: problem });
  }
}

/** Every testcase has a record afterwards: those a lost batch left out, those of children that were ended from outside, those that never started. */
async function completeRecords(
  client: Client,
  home: HomePaths,
  input: FinalizeRunInput,
  suite: WorkflowFacts,
  beat: () => void,
): Promise<void> {
  const have = await listAttempts(home, input.run.run);
  const attemptsOf = (id: string): readonly number[] => (have.get(slug(id)) ?? []).filter((attempt) => attempt > 0);
  const missing = input.result.testcases.filter((summary) => attemptsOf(summary.id).length < summary.attempts);
  if (missing.length > 0) {
    const wanted = new Set(missing.map((summary) => summary.id));
    for (const child of await testcaseChildren(client, suite)) {
      const started = testcaseInputOf(child);
      if (!started || !wanted.has(started.cell.id) || attemptsOf(started.cell.id).includes(started.attempt)) continue;
      await finalizeAttempt(client, home, child);
      beat();
    }
  }
  const skipped = skippedAt(suite);
  const plan = (suite.input as SuiteInput).plan;
  const written = await listAttempts(home, input.run.run);
  for (const summary of input.result.testcases) {
    if ((written.get(slug(summary.id)) ?? []).some((attempt) => attempt > 0)) continue;
    await writeTestcaseRecord(home, skippedRecord(input.run, plan, summary, skipped.get(summary.id) ?? input.result.finishedAt));
    beat();
  }
}

/** Testcases that the suite or its shards started. */
async function testcaseChildren(
  client: Client,
  suite: WorkflowFacts,
): Promise<(Execution & { readonly workflowType: string; readonly input: unknown })[]> {
  const children: (Execution & { readonly workflowType: string; readonly input: unknown })[] = [];
  for (const fact of suite.facts) {
    if (fact.kind !== 'child_started') continue;
    if (fact.workflowType === WORKFLOW.testcase) children.push(fact);
    if (fact.workflowType === WORKFLOW.shard) children.push(...(await testcaseChildren(client, (await fetchFacts(client, fact)).facts)));
  }
  return children;
}

/** When the suite decided not to start a testcase. */
function skippedAt(suite: WorkflowFacts): ReadonlyMap<TestcaseSummary['id'], number> {
  const at = new Map<string, number>();
  const reader = createJournalReader();
  for (const moment of suite.facts.flatMap(reader.read)) {
    if (moment.kind === 'testcase_skipped') at.set(moment.entry.testcase, moment.entry.at);
  }
  return at;
}

/** Fan-outs of the suite's own hooks. */
async function fanoutsOf(client: Client, suite: WorkflowFacts): Promise<WorkflowFacts[]> {
  const fanouts: WorkflowFacts[] = [];
  for (const fact of suite.facts) {
    if (fact.kind === 'child_started' && fact.workflowType === WORKFLOW.fanout) fanouts.push((await fetchFacts(client, fact)).facts);
  }
  return fanouts;
}

function finishedRun(input: FinalizeRunInput, suite: WorkflowFacts, fanouts: readonly WorkflowFacts[]): FinishedRun {
  const { run, result } = input;
  const { plan } = suite.input as SuiteInput;
  return {
    v: 1,
    run: run.run,
    suite: run.suite,
    file: plan.suite.file,
    seed: run.seed,
    status: result.cancelled ? 'cancelled' : 'finished',
    startedAt: suite.startedAt,
    finishedAt: result.finishedAt,
    workflowId: suite.workflowId,
    results: run.resultsDir,
    url: workflowUrl(run, suite.workflowId, suite.runId),
    engine: run.engine,
    steps: stepRecords(suite.facts, fanouts),
    finished: runFinished(result, run.resultsDir),
  } satisfies RunRecord;
}

/** An owed recovery, and the next iteration of a soak, still need them: those are swept when the run is over. */
async function removeSecrets(deps: ActivityDeps, client: Client, { run, result }: FinalizeRunInput): Promise<void> {
  try {
    if (result.recovery !== 'owed' && run.iteration === undefined) {
      removeRunSecrets(homePaths(deps.homeDir), run.run);
      forgetSecrets(deps, run.run);
    }
    await sweepSecrets(deps, client);
  } catch (error) {
    deps.log.warn('secrets of runs that are over were not swept', { run: run.run, error: String(error) });
  }
}

/** Owed recovery still needs its jobs: the fault's workflow goes on after the run. */
async function forgetRun(deps: ActivityDeps, input: FinalizeRunInput): Promise<void> {
  if (input.result.recovery === 'owed') return;
  const waiting = [...input.nodes];
  // Side by side: nodes that cannot be reached would else hold up the end of the run one after another.
  const lane = async (): Promise<void> => {
    for (let node = waiting.shift(); node; node = waiting.shift()) {
      try {
        const session = await nodePool(deps).session(node, { sudo: false }, Math.min(FORGET_WITHIN_MS, node.connectWithinMs));
        await forgetJobs(session, input.run.run);
      } catch (error) {
        deps.log.warn('jobs of a finished run were left on a node', { run: input.run.run, node: node.name, error: String(error) });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(FORGET_AT_ONCE, waiting.length) }, lane));
}
