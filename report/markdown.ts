import type { Verdict } from '../dsl/model/verdict.ts';
import { isBad } from '../dsl/model/verdict.ts';
import { failureOf, lastAttempt } from './report-model.ts';
import type { FinishedRun, ReportTestcase } from './report-model.ts';
import { capStart, capText, printable, stripAnsi, utf8Bytes } from './text.ts';

/** GitHub drops a summary over 1 MiB whole. */
const MAX_BYTES = 900_000;
const MAX_FAILURES = 50;
const MAX_ROWS = 2000;

const ICON: { readonly [verdict in Verdict]: string } = { passed: '✅', failed: '❌', broken: '💥', void: '⚪', skipped: '⏭️' };

/**
 * `summary.md`, as GitHub shows it for a job: result, what is owed, failures with reason first, table of testcases.
 * Fed one testcase at a time, in written order, so that a large run is never in memory; what does not fit is counted.
 */
export interface MarkdownSummary {
  readonly add: (testcase: ReportTestcase) => void;
  readonly text: () => string;
}

export function createMarkdownSummary(run: FinishedRun): MarkdownSummary {
  const failures: string[] = [];
  const rows: string[] = [];
  let failuresLeft = 0;
  let rowsLeft = 0;
  let bytes = 0;
  const take = (list: string[], text: string, limit: number): boolean => {
    const size = utf8Bytes(text) + 1;
    // A tenth is kept for the head and the lines that count what was left out.
    if (list.length >= limit || bytes + size > MAX_BYTES * 0.9) return false;
    bytes += size;
    list.push(text);
    return true;
  };
  return {
    add: (testcase) => {
      if (!take(rows, row(testcase), MAX_ROWS)) rowsLeft += 1;
      if (isBad(testcase.summary.verdict) && !take(failures, failure(testcase), MAX_FAILURES)) failuresLeft += 1;
    },
    text: () =>
      [
        head(run),
        owed(run),
        ...(failures.length + failuresLeft > 0 ? ['## Not passed\n', ...failures] : []),
        ...(failuresLeft > 0 ? [`… and ${failuresLeft} more.\n`] : []),
        '## Testcases\n',
        '| | testcase | reason | attempts | time |\n| --- | --- | --- | ---: | ---: |',
        ...rows,
        ...(rowsLeft > 0 ? [`\n… and ${rowsLeft} more.`] : []),
        '',
      ].join('\n'),
  };
}

function head(run: FinishedRun): string {
  const { finished } = run;
  const counts = (['passed', 'failed', 'broken', 'void', 'skipped'] as const).filter((verdict) => finished.counts[verdict] > 0);
  const listed = counts.map((verdict) => `${finished.counts[verdict]} ${verdict}`).join(', ');
  const flaky = finished.counts.flaky > 0 ? ` (${finished.counts.flaky} flaky)` : '';
  const link = run.url === null ? '' : ` · [workflow](${run.url.replaceAll(')', '%29')})`;
  return [
    `# ${ICON[finished.verdict]} ${inline(run.suite)}: ${finished.verdict}\n`,
    `${listed === '' ? 'no testcases' : listed}${flaky} in ${seconds(finished.duration_ms)} · run \`${run.run}\` · seed ${run.seed}${link}\n`,
  ].join('\n');
}

function owed(run: FinishedRun): string {
  if (run.finished.owed.length === 0) return '';
  const lines = run.finished.owed.map((debt) => `- **${inline(debt.node)}** (${inline(debt.fault)}), undo by hand:\n${fence(debt.undo)}`);
  return ['> [!CAUTION]', '> **Recovery is owed**: these faults are not confirmed undone.\n', ...lines, ''].join('\n');
}

function failure(testcase: ReportTestcase): string {
  const { summary } = testcase;
  const last = lastAttempt(testcase);
  const view = last ? failureOf(last) : undefined;
  const lines = [`### ${ICON[summary.verdict]} ${inline(summary.id)}\n`, `**${inline(summary.reason ?? summary.verdict)}**\n`];
  if (view) {
    const node = view.node === undefined ? '' : ` on ${inline(view.node)}`;
    lines.push(`${view.step === undefined ? '' : `step ${inline(view.step)}${node}, `}at \`${view.where.replaceAll('`', "'")}\`\n`);
    if (view.expected !== undefined) lines.push(fence(`expected: ${view.expected}\nactual:   ${view.actual ?? ''}`));
    const output = [view.stdout, view.stderr].filter((text) => text !== '').join('\n');
    if (output !== '') lines.push(fence(capText(output, 4096)));
  }
  return lines.join('\n');
}

function row(testcase: ReportTestcase): string {
  const { summary } = testcase;
  const flaky = summary.flaky ? ' (flaky)' : '';
  const reason = summary.reason === null ? '' : cell(summary.reason);
  return `| ${ICON[summary.verdict]} | ${cell(summary.id)}${flaky} | ${reason} | ${summary.attempts} | ${seconds(summary.duration_ms)} |`;
}

function cell(text: string): string {
  return inline(text);
}

/** One line in which nothing of the text is Markdown or HTML. */
function inline(text: string): string {
  return capStart(printable(stripAnsi(text)), 500)
    .replaceAll(/\s+/gu, ' ')
    .replaceAll(/[\\`*_{}[\]()#+!|~$:@-]/gu, (char) => `\\${char}`)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .trim();
}

/** A code block whose fence is longer than any run of back-ticks inside. */
function fence(text: string): string {
  const body = printable(stripAnsi(text));
  const longest = Math.max(2, ...[...body.matchAll(/`+/gu)].map((match) => match[0].length));
  const mark = '`'.repeat(longest + 1);
  return `${mark}text\n${body.replace(/\n+$/u, '')}\n${mark}\n`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
