import type { NodeEventResult, RunEvent } from '../../dsl/model/events.ts';
import type { Check } from '../../dsl/model/matcher.ts';
import type { TestcaseSummary } from '../../dsl/model/result.ts';
import { isBad } from '../../dsl/model/verdict.ts';
import { printable } from '../../report/text.ts';
import type { Palette } from './colour.ts';
import { verdictPaint } from './event-lines.ts';
import { durationText } from './since-text.ts';
import { oneLine } from './text-width.ts';

type StepFinished = Extract<RunEvent, { type: 'step_finished' }>;
type RunFinishedEvent = Extract<RunEvent, { type: 'run_finished' }>;

/** Collects what the end of a run has to repeat: why what went wrong went wrong. Keeps the bad steps only. */
export interface RunSummary {
  readonly add: (event: RunEvent) => void;
  /** Failures (reason first, expected, actual, where), counts, what to do next. */
  readonly text: (event: RunFinishedEvent) => string;
}

/** Of one text in the summary; all of it is in the results. */
const MAX_LINES = 12;
const MAX_TEXT = 500;
const MAX_FAILURES = 20;
const COUNTED = ['passed', 'failed', 'broken', 'void', 'skipped'] as const;
const BAD_FIRST = ['failed', 'broken', 'void'] as const;

export function createRunSummary(run: string, paint: Palette): RunSummary {
  const badSteps = new Map<string, StepFinished[]>();
  return {
    add: (event) => {
      // A new attempt: what went wrong in the one before is not the verdict any more.
      if (event.type === 'testcase_started') badSteps.delete(event.testcase);
      if (event.type !== 'step_finished' || !isBad(event.verdict)) return;
      badSteps.set(event.testcase, [...(badSteps.get(event.testcase) ?? []), event]);
    },
    text: (event) => {
      const bad = BAD_FIRST.flatMap((verdict) => event.testcases.filter((testcase) => testcase.verdict === verdict));
      const shown = bad.slice(0, MAX_FAILURES).map((testcase) => failureText(testcase, badSteps.get(testcase.id) ?? [], paint));
      if (bad.length > shown.length) shown.push(paint.dim(`… and ${bad.length - shown.length} more: onetear show ${run}`));
      const suiteSteps = (badSteps.get('') ?? []).map((step) => stepText(step, paint));
      const failures = [...suiteSteps, ...shown];
      const head = failures.length === 0 ? '' : `\n${failures.join('\n\n')}\n`;
      return `${head}\n${totals(event, paint)}\n${owedText(event, paint)}${nextSteps(run, event, bad.length > 0, paint)}`;
    },
  };
}

function failureText({ id, verdict, reason, duration_ms }: TestcaseSummary, steps: readonly StepFinished[], paint: Palette): string {
  const head = `${verdictPaint(verdict, paint)(paint.bold(verdict))} ${paint.bold(oneLine(id))} ${paint.dim(durationText(duration_ms))}`;
  return [head, `  ${oneLine(reason ?? 'no reason given')}`, ...steps.map((step) => stepText(step, paint))].join('\n');
}

function stepText(step: StepFinished, paint: Palette): string {
  const where = step.nodes.length > 0 ? ` on ${step.nodes.map(oneLine).join(', ')}` : '';
  const phase = step.phase === 'steps' ? '' : ` (${step.phase})`;
  const tries = step.tries > 1 ? `, ${step.tries} tries` : '';
  const lines = [`  ${paint.dim('step')} ${oneLine(step.step)}${phase}${where}${paint.dim(`${tries}, ${durationText(step.duration_ms)}`)}`];
  if (step.reason !== null) lines.push(`    ${oneLine(step.reason)}`);
  for (const check of step.checks) if (check.ok !== true) lines.push(...checkLines(check, paint));
  for (const result of step.results) lines.push(...resultLines(result, step.results.length > 1, paint));
  return lines.join('\n');
}

function checkLines(check: Check, paint: Palette): string[] {
  const path = check.path === undefined ? '' : ` ${oneLine(check.path)}`;
  return [
    `    ${check.matcher}${path}`,
    `      expected ${paint.green(oneLine(check.expected))}`,
    `      actual   ${paint.red(oneLine(check.actual))}`,
  ];
}

function resultLines(result: NodeEventResult, several: boolean, paint: Palette): string[] {
  const node = several ? `${oneLine(result.node)}: ` : '';
  const end = result.signal === null ? (result.exit_code === null ? 'did not end' : `exit ${result.exit_code}`) : result.signal;
  const lines = [`    ${paint.dim(`${node}${end}`)}`];
  for (const [name, text] of [
    ['stdout', result.stdout],
    ['stderr', result.stderr],
  ] as const) {
    if (text.trim() !== '') lines.push(...excerpt(text).map((line) => `    ${paint.dim(`${name} │`)} ${line}`));
  }
  if (result.artifact !== null) lines.push(`    ${paint.dim(`whole output in ${oneLine(result.artifact)}`)}`);
  return lines;
}

/** The end of a text: what broke is mostly said last. */
function excerpt(text: string): string[] {
  const lines = printable(text).trimEnd().split('\n');
  const kept = lines.slice(-MAX_LINES).map((line) => (line.length > MAX_TEXT ? `${line.slice(0, MAX_TEXT)}…` : line));
  return lines.length > kept.length ? [`… ${lines.length - kept.length} lines`, ...kept] : kept;
}

function totals({ counts, duration_ms, verdict }: RunFinishedEvent, paint: Palette): string {
  const parts: string[] = COUNTED.filter((name) => counts[name] > 0).map((name) => verdictPaint(name, paint)(`${counts[name]} ${name}`));
  if (counts.flaky > 0) parts.push(paint.yellow(`${counts.flaky} flaky`));
  return `${verdictPaint(verdict, paint)(paint.bold(verdict))} · ${parts.join(', ') || 'nothing ran'} in ${durationText(duration_ms)}`;
}

function owedText({ owed }: RunFinishedEvent, paint: Palette): string {
  if (owed.length === 0) return '';
  const lines = owed.map(({ node, undo }) => `  on ${oneLine(node)}:\n${printable(undo).replace(/^/gm, '    ')}`);
  return `${paint.red(paint.bold('Recovery owed'))}: these faults are not confirmed undone. onetear goes on trying; by hand:\n${lines.join('\n')}\n`;
}

function nextSteps(run: string, { results }: RunFinishedEvent, isBadRun: boolean, paint: Palette): string {
  const lines = [`Results ${results}`];
  if (isBadRun) lines.push(`Rerun   onetear rerun ${run} --failed`);
  return `${lines.map((line) => paint.dim(line)).join('\n')}\n`;
}
