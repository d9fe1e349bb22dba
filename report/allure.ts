import type { TestcaseRecord, StepRecord } from '../dsl/model/record.ts';
import { isBad } from '../dsl/model/verdict.ts';
import type { AllureAttempt, AllureContainer, AllureDetails, AllureParameter, AllureStep } from './allure-model.ts';
import { ALLURE_STATUS, allureStep, clean, oneLine, parameter, stepDetails } from './allure-steps.ts';
import type { StepContext } from './allure-steps.ts';
import { decidingStep } from './report-model.ts';
import type { FinishedRun, ReportTestcase } from './report-model.ts';
import { uuidOf } from './stable-uuid.ts';

/** A page with more steps takes seconds to open. */
const MAX_STEPS = 500;
const MAX_FILES_BAD = 200;
const MAX_FILES_PASSED = 20;
/** Above it only attempts that did not pass carry outputs: each file costs a flush to disk. */
const MANY_TESTCASES = 2000;

/**
 * Allure result and container of every attempt of a testcase, with the files they name. Ids come from run, case and attempt, so writing
 * twice gives the same files. `lane`: place in the timeline, from 1.
 */
export function allureTestcase(run: FinishedRun, testcase: ReportTestcase, lane: number): AllureAttempt[] {
  let earliest = 0;
  return testcase.attempts.map((record) => {
    // Of attempts with one start Allure shows any: each must start later than the one before.
    const start = Math.max(record.startedAt, earliest);
    earliest = start + 1;
    return allureAttempt(run, record, start, lane);
  });
}

function allureAttempt(run: FinishedRun, record: TestcaseRecord, start: number, lane: number): AllureAttempt {
  const uuid = uuidOf(run.run, String(record.iteration ?? 0), record.testcase, String(record.attempt));
  const bad = isBad(record.verdict);
  const quiet = !bad && run.finished.testcases.length > MANY_TESTCASES;
  const context: StepContext = {
    record,
    attemptUuid: uuid,
    files: [],
    maxFiles: bad ? MAX_FILES_BAD : quiet ? 0 : MAX_FILES_PASSED,
    room: MAX_STEPS,
    left: 0,
  };
  const own = record.steps.filter((step) => step.parent === undefined);
  const make = (steps: readonly StepRecord[], prefix = ''): AllureStep[] =>
    steps.flatMap((step) => allureStep(step, context, `${prefix}${step.title}`) ?? []);
  const befores = make(own.filter((step) => step.phase === 'before'));
  const body = make(own.filter((step) => step.phase === 'steps' || step.phase === 'assert'));
  const afters = [
    ...make(
      own.filter((step) => step.phase === 'on_fail'),
      'on_fail: ',
    ),
    ...make(own.filter((step) => step.phase === 'after')),
  ];
  const stop = Math.max(start + 1, record.finishedAt);
  const container: AllureContainer = { uuid: uuidOf(uuid, 'fixtures'), name: record.testcase, children: [uuid], befores, afters };
  return {
    files: context.files,
    ...(befores.length + afters.length === 0 ? {} : { container }),
    result: {
      uuid,
      historyId: uuidOf(run.suite, record.testcase),
      testCaseId: `${run.suite}#${record.testcase}`,
      fullName: `${record.file}#${record.testcase}`,
      titlePath: [record.file, record.name],
      name: oneLine(record.testcase),
      ...(record.description === undefined ? {} : { description: clean(record.description) }),
      status: ALLURE_STATUS[record.verdict],
      statusDetails: resultDetails(record),
      stage: 'finished',
      start,
      stop,
      steps: context.left === 0 ? body : [...body, leftOutStep(context.left, stop)],
      attachments: [],
      parameters: resultParameters(run, record),
      labels: labelsOf(run, record, lane),
      links: linksOf(run, record),
    },
  };
}

function resultDetails(record: TestcaseRecord): AllureDetails {
  if (record.verdict === 'passed') return record.flaky ? { flaky: true, message: 'passed after a try or attempt that had not' } : {};
  const step = isBad(record.verdict) ? decidingStep(record) : undefined;
  const word = record.verdict === 'void' ? 'void: ' : '';
  return {
    trace: clean(`at ${record.file}:${record.line}`),
    ...(step ? stepDetails(step) : {}),
    message: clean(`${word}${record.reason ?? step?.reason ?? record.verdict}`),
  };
}

/** Only axes tell one cell from another; everything that differs from run to run is excluded, or no test would have a history. */
function resultParameters(run: FinishedRun, record: TestcaseRecord): AllureParameter[] {
  const params = Object.entries(record.params).map(([name, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return record.axes.includes(name) ? parameter(name, text) : parameter(name, text, true);
  });
  return [
    ...params,
    parameter('run', run.run, true),
    parameter('seed', String(run.seed), true),
    parameter('attempt', String(record.attempt), true),
    parameter('verdict', record.verdict, true),
    parameter('recovery', record.recovery, true),
  ];
}

function labelsOf(run: FinishedRun, record: TestcaseRecord, lane: number): { name: string; value: string }[] {
  const node = record.steps.flatMap((step) => step.nodes)[0] ?? 'local';
  return [
    { name: 'framework', value: 'onetear' },
    { name: 'language', value: 'yaml' },
    { name: 'parentSuite', value: oneLine(run.suite) },
    { name: 'suite', value: oneLine(record.name) },
    { name: 'host', value: oneLine(node) },
    { name: 'thread', value: `lane ${lane}` },
    // A tag in Allure's own form would be read as an order to set another label.
    ...record.tags.map((tag) => ({ name: 'tag', value: oneLine(tag).replace(/^@?allure\b/u, 'tag allure') })),
  ];
}

function linksOf(run: FinishedRun, record: TestcaseRecord): { name: string; url: string; type: string }[] {
  const base = run.url?.match(/^(https?:\/\/.*\/namespaces\/[^/]+\/workflows)\//u)?.[1];
  if (base === undefined) return [];
  const links = [{ name: 'run in Temporal', url: run.url ?? '', type: 'temporal' }];
  if (record.workflowId === '' || record.workflowRunId === '') return links;
  const url = `${base}/${encodeURIComponent(record.workflowId)}/${encodeURIComponent(record.workflowRunId)}/history`;
  return [{ name: 'testcase in Temporal', url, type: 'temporal' }, ...links];
}

function leftOutStep(count: number, at: number): AllureStep {
  const name = `${count} more steps: see the record in testcases/`;
  return { name, status: 'skipped', statusDetails: {}, stage: 'finished', start: at, stop: at, steps: [], attachments: [], parameters: [] };
}

/** `environment.properties`: what the report's head shows. */
export function allureEnvironment(run: FinishedRun): { readonly [name: string]: string } {
  return {
    onetear: run.engine.version,
    suite: clean(run.suite),
    file: clean(run.file),
    run: run.run,
    seed: String(run.seed),
    verdict: run.finished.verdict,
    recovery: run.finished.recovery,
  };
}

/** `executor.json`. */
export function allureExecutor(run: FinishedRun): object {
  return {
    name: 'onetear',
    type: 'onetear',
    buildName: run.run,
    reportName: `${clean(run.suite)} ${run.run}`,
    ...(run.url === null ? {} : { buildUrl: run.url, url: run.url }),
  };
}

/** `categories.json`; Allure 2 and the classic view read it. */
export const ALLURE_CATEGORIES = [
  { name: 'Recovery owed', messageRegex: '.*recovery owed.*', matchedStatuses: ['broken', 'failed'] },
  { name: 'Void: the fault was not in effect', messageRegex: '^void: .*', matchedStatuses: ['broken'] },
  { name: 'Failed: an expectation was false', matchedStatuses: ['failed'] },
  { name: 'Broken: could not find out', matchedStatuses: ['broken'] },
] as const;
