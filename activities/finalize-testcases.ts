import { Context } from '@temporalio/activity';
import type { FinalizeTestcasesInput } from '../dsl/model/workflow-io.ts';
import type { ActivityDeps } from './deps.ts';
import { finalizeAttempt } from './finalize-attempt.ts';
import { homePaths } from './store/home-paths.ts';

/** Histories read at a time: enough to hide the server's answer times, few enough to leave it room for running testcases. */
const AT_A_TIME = 4;

/**
 * Activity `finalizeTestcases`: writes the durable records of closed testcase attempts and archives their histories.
 * Everything it writes is a pure function of closed histories, each file whole or not there: if this process dies at any line,
 * the next attempt writes the same files again.
 */
export function createFinalizeTestcases(deps: ActivityDeps): (input: FinalizeTestcasesInput) => Promise<void> {
  return async ({ testcases }) => {
    const context = Context.current();
    const home = homePaths(deps.homeDir);
    const waiting = [...testcases];
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        await finalizeAttempt(context.client, home, next);
        context.heartbeat(waiting.length);
      }
    };
    await Promise.all(Array.from({ length: Math.min(AT_A_TIME, testcases.length) }, work));
  };
}
