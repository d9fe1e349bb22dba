import { setCurrentDetails } from '@temporalio/workflow';
import type { TestcaseSummary } from '../../dsl/model/result.ts';
import { isBad } from '../../dsl/model/verdict.ts';
import type { Verdict } from '../../dsl/model/verdict.ts';

/** The server keeps 20,000 bytes of details; a table cut in half would not be one. */
const MAX_CHARACTERS = 6_000;
const LAST_BAD = 20;
const MAX_RUNNING = 30;

/** What the Web UI shows of a suite while it runs: a Markdown table. Costs no event. */
export interface Progress {
  started(testcase: string, workflowId: string): void;
  ended(summary: TestcaseSummary): void;
}

export function createProgress(total: number): Progress {
  const counts: Record<Verdict, number> = { passed: 0, failed: 0, broken: 0, void: 0, skipped: 0 };
  const running = new Map<string, string>();
  const links = new Map<string, string>();
  const bad: string[] = [];
  const publish = (): void => setCurrentDetails(render(total, counts, running, bad));
  publish();
  return {
    started(testcase, workflowId) {
      running.set(testcase, link(testcase, workflowId));
      links.set(testcase, link(testcase, workflowId));
      publish();
    },
    ended(summary) {
      running.delete(summary.id);
      counts[summary.verdict]++;
      if (isBad(summary.verdict)) {
        bad.push(`| ${links.get(summary.id) ?? cell(summary.id)} | ${summary.verdict} | ${cell(summary.reason ?? '')} |`);
        if (bad.length > LAST_BAD) bad.shift();
      }
      links.delete(summary.id);
      publish();
    },
  };
}

function render(total: number, counts: Record<Verdict, number>, running: ReadonlyMap<string, string>, bad: readonly string[]): string {
  const done = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const { passed, failed, broken, void: voided, skipped } = counts;
  const lines = [
    '| total | done | passed | failed | broken | void | skipped |',
    '| ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    `| ${total} | ${done} | ${passed} | ${failed} | ${broken} | ${voided} | ${skipped} |`,
  ];
  if (running.size > 0) {
    const shown = [...running.values()].slice(0, MAX_RUNNING);
    const more = running.size > shown.length ? ` and ${running.size - shown.length} more` : '';
    lines.push('', `running: ${shown.join(', ')}${more}`);
  }
  if (bad.length > 0) {
    lines.push('', '| testcase | verdict | reason |', '| --- | --- | --- |');
    let left = MAX_CHARACTERS;
    // Newest first, so that a limit cuts off the oldest.
    for (const line of bad.toReversed()) {
      left -= line.length;
      if (left < 0) break;
      lines.push(line);
    }
  }
  return lines.join('\n');
}

/** `{namespace}` is filled in by the Web UI. */
function link(testcase: string, workflowId: string): string {
  return `[${cell(testcase)}](/namespaces/{namespace}/workflows/${encodeURIComponent(workflowId)})`;
}

/** Text of a table cell: no bars, brackets, markup or line breaks of hostile output. */
function cell(text: string): string {
  const short = text.length > 160 ? `${text.slice(0, 159)}…` : text;
  return short.replaceAll(/\s+/g, ' ').replaceAll(/[\\`*_{}[\]<>()#|!~]/g, (character) => `\\${character}`);
}
