import type { Client } from '@temporalio/client';
import { slug } from '../dsl/expand/slug.ts';
import type { TestcaseRecord } from '../dsl/model/record.ts';
import { WORKFLOW } from '../dsl/model/workflow-io.ts';
import { attemptFileName } from '../report/artifact-path.ts';
import type { WorkflowFacts } from '../report/facts.ts';
import { projectRecord } from '../report/project-record.ts';
import type { Execution } from './history/decode-history.ts';
import { fetchFacts, historyJson } from './history/fetch-facts.ts';
import type { HomePaths } from './store/home-paths.ts';
import { writeHistory, writeTestcaseRecord } from './store/run-store.ts';

/**
 * The record of one closed attempt: reads its history and those of its faults and fan-outs, archives them, writes the record last. A record that is
 * there has its history beside it; done twice it gives the same files.
 */
export async function finalizeAttempt(client: Client, home: HomePaths, execution: Execution): Promise<TestcaseRecord> {
  const testcase = await fetchFacts(client, execution);
  const faults: WorkflowFacts[] = [];
  const fanouts: WorkflowFacts[] = [];
  const archives: { readonly name: string; readonly json: string }[] = [];
  for (const fact of testcase.facts.facts) {
    if (fact.kind === 'child_started' && fact.workflowType === WORKFLOW.fanout) {
      const fanout = await fetchFacts(client, fact);
      fanouts.push(fanout.facts);
      archives.push({ name: `fanout.${slug(fact.workflowId.split('/f/').at(-1) ?? '')}`, json: historyJson(fanout.history) });
    }
    if (fact.kind !== 'child_started' || fact.workflowType !== WORKFLOW.fault) continue;
    const fault = await fetchFacts(client, fact);
    faults.push(fault.facts);
    archives.push({ name: `fault.${slug(faultStep(fact.input))}`, json: historyJson(fault.history) });
  }
  const record = projectRecord(testcase.facts, faults, fanouts);
  const name = attemptFileName(record.testcase, record.attempt);
  for (const archive of archives) await writeHistory(home, record.run, `${name}.${archive.name}`, archive.json);
  await writeHistory(home, record.run, name, historyJson(testcase.history));
  await writeTestcaseRecord(home, record);
  return record;
}

function faultStep(input: unknown): string {
  return typeof input === 'object' && input !== null && 'step' in input && typeof input.step === 'string' ? input.step : '';
}
