import type { RunEvent } from '../../dsl/model/events.ts';
import type { TestcaseRecord } from '../../dsl/model/record.ts';
import type { Verdict } from '../../dsl/model/verdict.ts';
import { isBad } from '../../dsl/model/verdict.ts';
import { decidingResult, failureOf, isRoleStep } from '../report-model.ts';
import type { FailureView, NodeRow } from '../report-model.ts';
import type { Palette } from './palette.ts';
import { VERDICT_STYLE } from './palette.ts';
import { columns, cutColumns, padColumns, visible, visibleLine } from './terminal-text.ts';

const TAIL_LINES = 10;
/** Nodes shown one by one. */
const TABLE_ROWS = 12;

type TestcaseFinished = Extract<RunEvent, { readonly type: 'testcase_finished' }>;
type StepFinished = Extract<RunEvent, { readonly type: 'step_finished' }>;

export interface FailureBlock {
  readonly testcase: string;
  readonly attempt: number;
  readonly verdict: Verdict;
  readonly view: FailureView;
}

/** The block of a record that is not passed; `undefined` for one that is. */
export function failureBlock(record: TestcaseRecord): FailureBlock | undefined {
  const view = failureOf(record);
  return view ? { testcase: record.testcase, attempt: record.attempt, verdict: record.verdict, view } : undefined;
}

/** The same from the event stream: the end of the testcase and the ends of its steps (of that attempt, as they came). */
export function failureBlockFromEvents(
  finished: TestcaseFinished,
  steps: readonly StepFinished[],
  place: { readonly where: string },
): FailureBlock | undefined {
  if (!isBad(finished.verdict)) return undefined;
  const step = steps.find((each) => each.step === finished.step) ?? steps.find((each) => isBad(each.verdict));
  const result = step && decidingResult(step.results.map((each) => ({ ...each, verdict: each.verdict ?? 'broken' })));
  // The stream has the checks of all nodes in one list: those of the first bad one come first.
  const isFirst = result === undefined || step?.results.find((each) => each.verdict && isBad(each.verdict))?.node === result.node;
  const check = isFirst || !isBad(result.verdict) ? step?.checks.find((each) => each.ok !== true) : undefined;
  // A step whose role did not hold ran nowhere: the answers of the nodes are what there is to see.
  const role = step && steps.find((each) => isRoleStep(each) && each.step.startsWith(`${step.step}/`) && isBad(each.verdict));
  const told = step && step.results.length === 0 ? (role?.results ?? []) : (step?.results ?? []);
  const rows = told.map((each) => ({
    node: each.node,
    verdict: each.verdict ?? 'broken',
    exitCode: each.exit_code,
    reason: each.reason ?? '',
  }));
  const view: FailureView = {
    reason: finished.reason ?? step?.reason ?? finished.verdict,
    ...(step ? { step: step.step, title: step.title } : {}),
    ...(result ? { node: result.node, exitCode: result.exit_code } : {}),
    ...(rows.length > 1 || role ? { rows } : {}),
    ...(check
      ? {
          expected: `${check.path === undefined ? check.matcher : `${check.matcher} ${check.path}`}: ${check.expected}`,
          actual: check.actual,
        }
      : {}),
    where: place.where,
    stdout: result?.stdout ?? '',
    stderr: result?.stderr ?? '',
    ...(result && { cut: { stdout: result.truncated, stderr: result.truncated } }),
  };
  return { testcase: finished.testcase, attempt: finished.attempt, verdict: finished.verdict, view };
}

/** Reason first, then expected and actual, where, and the end of the output. */
export function renderFailure(block: FailureBlock, palette: Palette, width = 80): string {
  const { view } = block;
  const { symbol, colour } = VERDICT_STYLE[block.verdict];
  const paint = palette[colour];
  const attempt = block.attempt > 1 ? ` (attempt ${block.attempt})` : '';
  const lines = [
    `${paint(symbol)} ${palette.bold(visibleLine(block.testcase))} ${paint(block.verdict)}${attempt}`,
    `  ${paint(visibleLine(view.reason))}`,
  ];
  if (view.expected !== undefined) {
    lines.push(`  expected  ${palette.green(visibleLine(view.expected))}`);
    lines.push(`  actual    ${palette.red(visibleLine(view.actual ?? ''))}`);
  }
  const step =
    view.step === undefined ? '' : ` step ${visibleLine(view.step)}${view.node === undefined ? '' : ` on ${visibleLine(view.node)}`}`;
  lines.push(palette.dim(`  at ${visibleLine(view.where)}${step}`));
  lines.push(...nodeTable(view.rows ?? [], palette, width));
  lines.push(
    ...outputTail('stdout', view.stdout, view.cut?.stdout, palette, width),
    ...outputTail('stderr', view.stderr, view.cut?.stderr, palette, width),
  );
  return lines.join('\n');
}

/** How each node went, the bad ones first; of many good ones only the number. */
function nodeTable(rows: readonly NodeRow[], palette: Palette, width: number): string[] {
  if (rows.length === 0) return [];
  const bad = rows.filter((row) => isBad(row.verdict));
  const good = rows.filter((row) => !isBad(row.verdict));
  const shown = [...bad.slice(0, TABLE_ROWS), ...(good.length <= TABLE_ROWS ? good : [])];
  const wide = Math.max(...shown.map((row) => columns(visibleLine(row.node))), 0);
  const lines = shown.map((row) => {
    const { symbol, colour } = VERDICT_STYLE[row.verdict];
    const text = row.reason === '' ? (row.exitCode === null ? row.verdict : `exit ${row.exitCode}`) : visibleLine(row.reason);
    return `  ${palette[colour](symbol)} ${padColumns(visibleLine(row.node), wide)}  ${cutColumns(text, Math.max(20, width - wide - 6))}`;
  });
  const left = [
    ...(bad.length > TABLE_ROWS ? [`${bad.length - TABLE_ROWS} more not passed`] : []),
    ...(good.length > TABLE_ROWS ? [`${good.length} passed`] : []),
  ];
  return left.length === 0 ? lines : [...lines, palette.dim(`  … and ${left.join(', ')}`)];
}

function outputTail(name: string, text: string, cut: boolean | undefined, palette: Palette, width: number): string[] {
  const all = visible(text).replace(/\n+$/u, '').split('\n');
  if (all.length === 1 && all[0]?.trim() === '') return [];
  const shown = all.slice(-TAIL_LINES);
  const left = all.length - shown.length;
  const title = left > 0 ? `  ${name} (last ${shown.length}${cut ? '' : ` of ${all.length}`} lines)` : `  ${name}`;
  return [
    palette.dim(title),
    ...shown.map((line) => `  ${palette.dim('│')} ${cutColumns(line.replaceAll('\t', '    '), Math.max(20, width - 4))}`),
  ];
}

/** Runs again what did not pass, ready to paste: the suite's text, options and random choices of then. */
export function rerunLine(run: string, palette: Palette): string {
  return `${palette.dim('rerun what did not pass:')} ${palette.cyan(`onetear rerun ${run} --failed --same-seed`)}`;
}
