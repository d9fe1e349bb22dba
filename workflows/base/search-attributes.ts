import { defineSearchAttributeKey } from '@temporalio/common';
import type { SearchAttributePair } from '@temporalio/common';
import type { Verdict } from '../../dsl/model/verdict.ts';
import type { RunInfo } from '../../dsl/model/workflow-io.ts';

const SUITE = defineSearchAttributeKey('OnetearSuite', 'KEYWORD');
const RUN = defineSearchAttributeKey('OnetearRun', 'KEYWORD');
const TESTCASE = defineSearchAttributeKey('OnetearTestcase', 'KEYWORD');
const VERDICT = defineSearchAttributeKey('OnetearVerdict', 'KEYWORD');
const TAGS = defineSearchAttributeKey('OnetearTags', 'KEYWORD_LIST');

/** SQL visibility stores keywords of at most 255 characters. */
const LIMIT = 255;

/** Attributes of a child; empty unless the server is known to have them, because an unknown one would fail the workflow task. */
export function childAttributes(run: RunInfo, testcase?: string, tags: readonly string[] = []): SearchAttributePair[] {
  if (!run.searchAttributes) return [];
  return [
    { key: SUITE, value: cut(run.suite) },
    { key: RUN, value: run.run },
    ...(testcase === undefined ? [] : [{ key: TESTCASE, value: cut(testcase) }]),
    ...(tags.length === 0 ? [] : [{ key: TAGS, value: tags.map(cut) }]),
  ];
}

export function verdictAttribute(verdict: Verdict): SearchAttributePair {
  return { key: VERDICT, value: verdict };
}

function cut(text: string): string {
  return text.length > LIMIT ? `${text.slice(0, LIMIT - 1)}…` : text;
}
