import { CancellationScope, condition, upsertMemo } from '@temporalio/workflow';
import type { JournalEntry } from '../../dsl/model/journal.ts';
import { JOURNAL_MEMO } from '../../dsl/model/workflow-io.ts';

/** Decisions of a workflow on their way into its history, see dsl/model/journal.ts. */
export interface Journal {
  add(entry: JournalEntry): void;
  /** Hands over what is pending; the caller puts it into a command of this activation or into the result. */
  take(): JournalEntry[];
}

/**
 * Must be called in the main function. What no activity has carried away by the end of an activation is written into the memo:
 * conditions are looked at only after all promises of the activation have settled, so whatever the workflow schedules in answer
 * to an event comes first and carries the entries for nothing.
 */
export function createJournal(): Journal {
  let pending: JournalEntry[] = [];
  const journal: Journal = {
    add(entry) {
      pending.push(entry);
    },
    take() {
      const taken = pending;
      pending = [];
      return taken;
    },
  };
  // Non-cancellable: a cancelled workflow still has decisions to tell. Never settles; the workflow's end drops it.
  void CancellationScope.nonCancellable(async () => {
    for (;;) {
      await condition(() => pending.length > 0);
      const entries = journal.take();
      if (entries.length > 0) upsertMemo({ [JOURNAL_MEMO]: entries });
    }
  });
  return journal;
}
