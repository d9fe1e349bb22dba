import type { TestcaseRecord } from '../dsl/model/record.ts';
import type { Verdict } from '../dsl/model/verdict.ts';
import { artifactsOf, failureOf, lastAttempt } from './report-model.ts';
import type { FinishedRun, ReportTestcase } from './report-model.ts';
import { capStart, capText, isoTime, stripAnsi, wellFormed } from './text.ts';

/**
 * JUnit XML as Jenkins' xunit plugin, GitLab and GitHub actions read it. Written in three parts, so that a run of any size is never in memory.
 * failed → failure, broken and void → error, skipped → skipped; earlier attempts of a pass → flakyFailure / flakyError, of a failure → rerunFailure / rerunError.
 */

/** Output of one testcase in the file; whole logs are named as attachments. GitLab refuses files over 30 MB. */
const OUTPUT_BYTES = 16_384;
const ATTRIBUTE_BYTES = 2048;
const MAX_ATTEMPTS_SHOWN = 20;

const TAG: { readonly [verdict in Verdict]?: 'failure' | 'error' } = { failed: 'failure', broken: 'error', void: 'error' };

export function junitHead(run: FinishedRun): string {
  const { counts, duration_ms: durationMs } = run.finished;
  const tests = run.finished.testcases.length;
  const errors = counts.broken + counts.void;
  const totals = { tests: String(tests), failures: String(counts.failed), errors: String(errors) };
  const suite = {
    name: run.suite,
    ...totals,
    skipped: String(counts.skipped),
    time: suiteSeconds(durationMs),
    timestamp: timestamp(run.startedAt),
    file: run.file,
  };
  const properties: readonly (readonly [string, string])[] = [
    ['run', run.run],
    ['seed', String(run.seed)],
    ['verdict', run.finished.verdict],
    ['recovery', run.finished.recovery],
    ['engine', run.engine.version],
    ['workflow', run.workflowId],
    ...(run.url === null ? [] : [['url', run.url] as const]),
    ...run.finished.owed.map((debt) => ['recovery owed', `${debt.fault} on ${debt.node}: ${debt.undo}`] as const),
  ];
  return [
    '<?xml version="1.0" encoding="UTF-8"?>\n',
    `<testsuites${attributes({ name: run.suite, ...totals, time: suiteSeconds(durationMs) })}>\n`,
    `  <testsuite${attributes(suite)}>\n    <properties>\n`,
    ...properties.map(([name, value]) => `      <property${attributes({ name, value })}/>\n`),
    '    </properties>\n',
  ].join('');
}

export function junitFoot(): string {
  return '  </testsuite>\n</testsuites>\n';
}

/** One testcase of the file. `withOutput` false: the file is large enough already, outputs are left out. */
export function junitTestcase(run: FinishedRun, testcase: ReportTestcase, withOutput = true): string {
  const { summary } = testcase;
  const last = lastAttempt(testcase);
  const tag = TAG[summary.verdict];
  const parts: string[] = [];
  if (summary.verdict === 'skipped') parts.push(`      <skipped${attributes({ message: summary.reason ?? 'skipped' })}/>\n`);
  if (tag) parts.push(element(tag, summary.verdict, summary.reason ?? summary.verdict, last ? failureText(last) : ''));
  const earlier = testcase.attempts.slice(0, -1).slice(-MAX_ATTEMPTS_SHOWN);
  for (const attempt of earlier) parts.push(rerunElement(attempt, summary.verdict === 'passed' ? 'flaky' : 'rerun'));
  const output = last ? systemOut(last, withOutput) : '';
  if (output !== '') parts.push(`      <system-out>${cdata(output)}</system-out>\n`);
  const failure = last && withOutput ? failureOf(last) : undefined;
  if (failure && failure.stderr !== '') parts.push(`      <system-err>${cdata(capText(failure.stderr, OUTPUT_BYTES))}</system-err>\n`);
  const head = `    <testcase${attributes({ name: summary.id, classname: run.suite, time: seconds(summary.duration_ms) })}`;
  return parts.length === 0 ? `${head}/>\n` : `${head}>\n${parts.join('')}    </testcase>\n`;
}

function element(tag: string, type: string, message: string, text: string): string {
  return `      <${tag}${attributes({ type, message })}>${cdata(text)}</${tag}>\n`;
}

/** An attempt before the last. One that passed (its retry came from elsewhere) has nothing to show. */
function rerunElement(attempt: TestcaseRecord, kind: 'flaky' | 'rerun'): string {
  const tag = TAG[attempt.verdict];
  if (!tag) return '';
  const name = `${kind}${tag === 'failure' ? 'Failure' : 'Error'}`;
  const message = `attempt ${attempt.attempt}: ${attempt.reason ?? attempt.verdict}`;
  return `      <${name}${attributes({ message, type: attempt.verdict })}><stackTrace>${cdata(failureText(attempt))}</stackTrace></${name}>\n`;
}

function failureText(record: TestcaseRecord): string {
  const failure = failureOf(record);
  if (!failure) return '';
  const lines = [
    failure.reason,
    ...(failure.step === undefined ? [] : [`step: ${failure.step}${failure.node === undefined ? '' : ` on ${failure.node}`}`]),
    ...(failure.expected === undefined ? [] : [`expected: ${failure.expected}`, `actual:   ${failure.actual ?? ''}`]),
    `at ${failure.where}`,
  ];
  return capText(lines.join('\n'), OUTPUT_BYTES);
}

/** Where the testcase stands, what its deciding step printed, and its whole logs in the form that Jenkins and GitLab link. */
function systemOut(record: TestcaseRecord, withOutput: boolean): string {
  const failure = failureOf(record);
  const attachments = artifactsOf(record).map((artifact) => `[[ATTACHMENT|${artifact.path}]]`);
  if (!failure && attachments.length === 0) return '';
  const output = failure && withOutput && failure.stdout !== '' ? [capText(failure.stdout, OUTPUT_BYTES)] : [];
  return [`${record.file}:${record.line}`, ...output, ...attachments].join('\n');
}

function attributes(values: { readonly [name: string]: string }): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${attribute(value)}"`)
    .join('');
}

function attribute(text: string): string {
  return xmlText(capStart(text, ATTRIBUTE_BYTES))
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\t', '&#9;')
    .replaceAll('\n', '&#10;')
    .replaceAll('\r', '&#13;');
}

/** `]]>` would end the section early; it is split over two. */
function cdata(text: string): string {
  return text === '' ? '' : `<![CDATA[${xmlText(text).replaceAll(']]>', ']]]]><![CDATA[>')}]]>`;
}

/** What XML 1.0 cannot hold, not even escaped, is removed; terminal colours go with it as a whole. */
function xmlText(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return wellFormed(stripAnsi(text)).replaceAll(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/gu, '');
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}

/** The schema allows at most three digits in a group before the point. */
function suiteSeconds(ms: number): string {
  const [whole, fraction] = seconds(ms).split('.') as [string, string];
  return `${whole.replaceAll(/\B(?=(?:\d{3})+$)/gu, ',')}.${fraction}`;
}

/** ISO 8601 without zone, UTC, as Surefire writes it. */
function timestamp(epochMs: number): string {
  return isoTime(epochMs).slice(0, 19);
}
