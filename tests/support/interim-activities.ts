import { exec } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { ActivityDeps } from '../../activities/deps.ts';
import { createHello } from '../../activities/hello.ts';
import { createRunCommand } from '../../activities/run-command.ts';
import { createWatchOwner } from '../../activities/watch-owner.ts';
import { checkMatchers, holdingConditions, judgeChecks } from '../../dsl/expression/match.ts';
import type { NodeResult } from '../../dsl/model/result.ts';
import type { Activities, RenderedCommand } from '../../dsl/model/workflow-io.ts';

function sh(command: RenderedCommand): Promise<{ exitCode: number; stdout: string; stderr: string; durationSeconds: number }> {
  return new Promise((resolve) => {
    const started = Date.now();
    exec(String(command.cmd), { env: { ...process.env, ...command.env } }, (error, stdout, stderr) =>
      resolve({ exitCode: error ? Number(error.code ?? 1) : 0, stdout, stderr, durationSeconds: (Date.now() - started) / 1000 }),
    );
  });
}

function result(node: string, verdict: NodeResult['verdict'], stdout: string, reason?: string): NodeResult {
  const text = { text: stdout, bytes: stdout.length, truncated: false };
  return { node, verdict, ...(reason && { reason }), exitCode: 0, timedOut: false, stdout: text, stderr: { text: '', bytes: 0, truncated: false }, checks: [], outputs: {}, durationMs: 1, startedAt: 0, finishedAt: 0, tries: 1, earlierTries: [], cached: false };
}

export function createActivities(deps: ActivityDeps): Activities {
  return {
    hello: createHello(deps),
    runCommand: createRunCommand(deps),
    watchOwner: createWatchOwner(deps),
    async sampleCommand(input) {
      const end = Date.now() + input.windowMs;
      for (;;) {
        Context.current().heartbeat();
        const sample = await sh(input.command);
        const scope = { values: input.scope };
        const ok = input.mode === 'never' ? holdingConditions(input.match, sample, scope).length === 0 : judgeChecks(checkMatchers(input.match, sample, scope)) === 'passed';
        const late = Date.now() >= end;
        if (input.mode === 'until' ? ok : late && ok) return result(input.node.name, 'passed', sample.stdout);
        if (input.mode === 'until' ? late : !ok) {
          const bad = result(input.node.name, input.badVerdict, sample.stdout, `not: ${JSON.stringify(input.match)}`);
          throw ApplicationFailure.create({ type: 'StepFailed', nonRetryable: true, message: bad.reason ?? '', details: [bad] });
        }
        await Context.current().sleep(input.everyMs);
      }
    },
    async recoverFault(input) {
      const tried = await sh(input.command);
      const bad = result(input.node.name, 'failed', tried.stdout, 'undo failed');
      if (tried.exitCode !== 0) throw ApplicationFailure.create({ type: 'StepFailed', message: 'undo failed', details: [bad] });
      return result(input.node.name, 'passed', tried.stdout);
    },
    finalizeTestcases: () => delay(1),
    finalizeRun: () => delay(1),
  };
}
