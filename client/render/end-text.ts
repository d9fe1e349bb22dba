import type { RunEvent } from '../../dsl/model/events.ts';
import { isBad } from '../../dsl/model/verdict.ts';
import type { Palette } from '../../report/terminal/palette.ts';
import { failureBlockFromEvents, renderFailure, rerunLine, type FailureBlock } from '../../report/terminal/render-failure.ts';
import { renderCounts, renderOwed } from '../../report/terminal/render-summary.ts';

type TestcaseFinished = Extract<RunEvent, { type: 'testcase_finished' }>;
type StepFinished = Extract<RunEvent, { type: 'step_finished' }>;
type RunFinishedEvent = Extract<RunEvent, { type: 'run_finished' }>;

/** `file:line` of a testcase or of one of its steps. */
export type WhereOf = (testcase: string, step: string | null) => string;

/** Collects what the end of a run repeats: why went wrong what went wrong. Keeps bad steps of last attempts only. */
export interface EndText {
  readonly add: (event: RunEvent) => void;
  /** Failures (reason first, expected, actual, where, output), counts, owed recovery, results, rerun. Ends in a line break. */
  readonly text: (event: RunFinishedEvent, palette: Palette, width: number) => string;
}

/** More than this hides the counts below; the rest is in `show`. */
const MAX_FAILURES = 30;

/** The failure of a testcase from the run's own record, if this host has it: it says the same as `show`. */
export type RecordedBlock = (testcase: string, attempt: number) => FailureBlock | undefined;

/** Without a record the block is made of the events, and `whereOf` gives places when the plan is at hand. */
export function createEndText(run: string, recorded: RecordedBlock, whereOf?: WhereOf): EndText {
  const badSteps = new Map<string, StepFinished[]>();
  const ends = new Map<string, TestcaseFinished>();
  let file = '';

  const failures = (palette: Palette, width: number, event: RunFinishedEvent): string[] => {
    const bad = event.testcases.filter((testcase) => isBad(testcase.verdict));
    const blocks = bad.slice(0, MAX_FAILURES).flatMap(({ id }) => {
      const end = ends.get(id);
      const place = { where: whereOf?.(id, end?.step ?? null) ?? file };
      const block = end && (recorded(id, end.attempt) ?? failureBlockFromEvents(end, badSteps.get(id) ?? [], place));
      return block ? [renderFailure(block, palette, width)] : [];
    });
    if (bad.length > MAX_FAILURES) blocks.push(palette.dim(`… and ${bad.length - MAX_FAILURES} more: onetear show ${run}`));
    return blocks;
  };

  return {
    add: (event) => {
      if (event.type === 'run_started') {
        file = event.file;
      } else if (event.type === 'testcase_started') {
        // A new attempt: what went wrong in the one before is not the verdict any more.
        badSteps.delete(event.testcase);
      } else if (event.type === 'step_finished' && isBad(event.verdict)) {
        badSteps.set(event.testcase, [...(badSteps.get(event.testcase) ?? []), event]);
      } else if (event.type === 'testcase_finished') {
        if (isBad(event.verdict)) ends.set(event.testcase, event);
        else ends.delete(event.testcase);
      }
    },
    text: (event, palette, width) => {
      const blocks = failures(palette, width, event);
      const parts = blocks.length > 0 ? ['', ...blocks.flatMap((block) => [block, ''])] : [''];
      parts.push(renderCounts(event, palette));
      if (event.owed.length > 0) parts.push('', renderOwed(event.owed, palette), '');
      parts.push(palette.dim(`results: ${event.results}`));
      if (blocks.length > 0) parts.push(rerunLine(run, palette));
      return `${parts.join('\n')}\n`;
    },
  };
}
