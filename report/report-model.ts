import type { RunRecord, StepRecord, TestcaseRecord } from '../dsl/model/record.ts';
import type { RunFinished } from '../dsl/model/events.ts';
import type { TestcaseSummary } from '../dsl/model/result.ts';
import type { Verdict } from '../dsl/model/verdict.ts';
import { isBad, worstVerdict } from '../dsl/model/verdict.ts';
import { excerptText, stepChecks } from './event-builders.ts';
import { stepArtifacts } from './artifact-path.ts';
import type { StepArtifact } from './artifact-path.ts';

/** A run that is over: what every report projects. */
export type FinishedRun = RunRecord & { readonly finished: RunFinished; readonly finishedAt: number };

/** One testcase with all its attempts, oldest first. A testcase that never started has one record, of attempt 0. */
export interface ReportTestcase {
  readonly summary: TestcaseSummary;
  readonly attempts: readonly TestcaseRecord[];
}

/** The attempt that gave the verdict. */
export function lastAttempt(testcase: ReportTestcase): TestcaseRecord | undefined {
  return testcase.attempts.at(-1);
}

/** The step that decided: the one named, else the first bad one. */
export function decidingStep(record: TestcaseRecord): StepRecord | undefined {
  return (
    record.steps.find((step) => step.step === record.step) ?? record.steps.find((step) => isBad(step.verdict) && !step.continueOnError)
  );
}

/** The question of a role, asked for the step that is its parent: `<step>/role.<name>`. */
export function isRoleStep(step: Pick<StepRecord, 'step' | 'kind'>): boolean {
  return step.kind === 'hook' && /\/role\.[^/]+$/u.test(step.step);
}

/** One row of a failed step's table: what came of it on one node. */
export interface NodeRow {
  readonly node: string;
  readonly verdict: Verdict;
  readonly exitCode: number | null;
  readonly reason: string;
}

/** What a failed step shows: everything a person needs to see why. */
export interface FailureView {
  readonly reason: string;
  readonly step?: string;
  readonly title?: string;
  readonly node?: string;
  readonly expected?: string;
  readonly actual?: string;
  /** `file:line` of the step, else of the testcase. */
  readonly where: string;
  readonly stdout: string;
  readonly stderr: string;
  /** The texts are excerpts of longer outputs: their lines say nothing about how many there were. */
  readonly cut?: { readonly stdout: boolean; readonly stderr: boolean };
  readonly exitCode?: number | null;
  /** With several nodes, or a role that did not hold: how each of them went. */
  readonly rows?: readonly NodeRow[];
}

/** The node that decided over a step: the first with the worst verdict, whose reason is the step's too. */
export function decidingResult<R extends { readonly verdict: Verdict }>(results: readonly R[]): R | undefined {
  const worst = worstVerdict(results.map((each) => each.verdict));
  return results.find((each) => each.verdict === worst) ?? results[0];
}

/** The failure of an attempt; `undefined` when it passed. */
export function failureOf(record: TestcaseRecord): FailureView | undefined {
  if (!isBad(record.verdict)) return undefined;
  const step = decidingStep(record);
  const place = step?.location ?? { file: record.file, line: record.line };
  const result = step && decidingResult(step.results);
  // A step whose role did not hold ran nowhere: the answers of the nodes are what there is to see.
  const role = step && record.steps.find((each) => isRoleStep(each) && each.step.startsWith(`${step.step}/`) && isBad(each.verdict));
  const told = step && step.results.length === 0 ? (role?.results ?? []) : (step?.results ?? []);
  const rows = told.map(({ node, verdict, exitCode, reason = '' }) => ({ node, verdict, exitCode, reason }));
  // What another node was asked explains nothing.
  const checks = result && isBad(result.verdict) ? result.checks : step ? stepChecks(step) : [];
  const check = checks.find((each) => each.ok !== true);
  return {
    reason: record.reason ?? step?.reason ?? record.verdict,
    ...(step ? { step: step.step, title: step.title } : {}),
    ...(result ? { node: result.node, exitCode: result.exitCode } : {}),
    ...(rows.length > 1 || role ? { rows } : {}),
    ...(check
      ? {
          expected: `${check.path === undefined ? check.matcher : `${check.matcher} ${check.path}`}: ${check.expected}`,
          actual: check.actual,
        }
      : {}),
    where: `${place.file}:${place.line}`,
    stdout: result ? excerptText(result.stdout) : '',
    stderr: result ? excerptText(result.stderr) : '',
    ...(result && { cut: { stdout: result.stdout.truncated, stderr: result.stderr.truncated } }),
  };
}

/** All full outputs of an attempt. */
export function artifactsOf(record: TestcaseRecord): StepArtifact[] {
  return record.steps.flatMap((step) => stepArtifacts(record.testcase, record.attempt, step));
}
