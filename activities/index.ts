import type { Activities } from '../dsl/model/workflow-io.ts';
import type { ActivityDeps } from './deps.ts';
import { createAskRoles } from './roles/ask-roles.ts';
import { createFinalizeRun } from './finalize-run.ts';
import { createFinalizeTestcases } from './finalize-testcases.ts';
import { createHello } from './hello.ts';
import { createRecoverFault } from './recover-fault.ts';
import { guardActivities } from './secrets/guard-activities.ts';
import { createRunCommand } from './run-command.ts';
import { createSampleCommand } from './sample-command.ts';
import { createWatchOwner } from './watch-owner.ts';

/** All activities of a worker, under the names that workflows call; made once per process. */
export function createActivities(deps: ActivityDeps): Activities {
  return guardActivities(deps, {
    hello: createHello(deps),
    runCommand: createRunCommand(deps),
    sampleCommand: createSampleCommand(deps),
    askRoles: createAskRoles(deps),
    recoverFault: createRecoverFault(deps),
    watchOwner: createWatchOwner(deps),
    finalizeTestcases: createFinalizeTestcases(deps),
    finalizeRun: createFinalizeRun(deps),
  });
}
