import type { Check } from '../../dsl/model/matcher.ts';
import type { Node } from '../../dsl/model/node.ts';
import type { CommandSpec } from '../../dsl/model/plan.ts';
import type { NodeResult } from '../../dsl/model/result.ts';
import { isSuiteError } from '../base/engine-bug.ts';
import { dispatch } from './dispatch.ts';
import { mergeResults } from './fan-out.ts';
import { runHooks } from './hooks.ts';
import { addressOf, renderTarget } from './render.ts';
import type { Target } from './render.ts';
import { prepare } from './prepare.ts';
import type { BodyOutcome, Stage, StepLabel, StepOutcome } from './stage.ts';
import { bodyWithoutRun, knownIncarnation, NO_OUTPUTS, noteFinished, noteStarted, queueFor } from './stage.ts';

export interface CommandOptions {
  /** The whole stdout is named by a later expression. */
  readonly keepStdout: boolean;
  /** Told what will run where, before anything does. */
  readonly onTargets?: (targets: readonly Target[]) => void;
  /** Has the last word on how the step went. */
  readonly judge?: (body: BodyOutcome) => BodyOutcome;
}

/** A command as a step of its own: journal entries, hooks, all its nodes. `makeSpec` may throw: the step is then broken. */
export async function runCommandStep(
  stage: Stage,
  label: StepLabel,
  makeSpec: () => CommandSpec,
  options: CommandOptions,
): Promise<StepOutcome> {
  let startedAt = Date.now();
  let spec: CommandSpec;
  let nodes: readonly Node[];
  let targets: readonly Target[];
  try {
    spec = makeSpec();
    const asked = prepare(stage, label, { spec, texts: [spec] });
    const prepared = asked instanceof Promise ? await asked : asked;
    // What had to be asked first is told before; the step itself begins when it is known where.
    if (asked instanceof Promise) startedAt = Date.now();
    if (prepared.kind === 'bad') return endPrepared(stage, label, startedAt, prepared.body);
    const { roles } = prepared;
    ({ nodes } = prepared);
    // Everything is rendered before anything runs: a mistake on the last node must not be found after the first has acted.
    targets = nodes.map((node) => renderTarget(stage, label.step, spec, node, spec.expect, roles));
  } catch (error) {
    return endUnrendered(stage, label, startedAt, error);
  }
  options.onTargets?.(targets);
  const names = nodes.map((node) => node.name);
  noteStarted(stage, label, names, startedAt);
  const body = await runHooks(stage, label, spec.hooks, () => runOnNodes(stage, label, spec, targets, options.keepStdout));
  return noteFinished(stage, label, names, startedAt, options.judge?.(body) ?? body);
}

/** A step whose roles do not hold: it ends without having run anything, its hooks included. */
export function endPrepared(stage: Stage, label: StepLabel, startedAt: number, body: BodyOutcome): StepOutcome {
  noteStarted(stage, label, [], startedAt);
  return noteFinished(stage, label, [], startedAt, body);
}

/** A step whose command, nodes or marks could not be made out; foreign errors are bugs and pass on. */
export function endUnrendered(stage: Stage, label: StepLabel, startedAt: number, error: unknown): StepOutcome {
  if (!isSuiteError(error)) throw error;
  noteStarted(stage, label, [], startedAt);
  return noteFinished(stage, label, [], startedAt, bodyWithoutRun('broken', error.message));
}

async function runOnNodes(
  stage: Stage,
  label: StepLabel,
  spec: CommandSpec,
  targets: readonly Target[],
  keepStdout: boolean,
): Promise<BodyOutcome> {
  const allEqual = spec.expect.all_equal === true;
  const results = await dispatch(stage, label, targets, spec.maxParallel, (target) => ({
    kind: 'command',
    activityId: `${label.step}/${target.node.name}`,
    taskQueue: queueFor(stage, target.node, spec),
    input: {
      v: 1,
      run: stage.run,
      address: addressOf(stage, label),
      node: target.node,
      ...knownIncarnation(stage, target.node),
      command: target.command,
      expect: target.match,
      outputs: spec.outputs,
      retry: spec.retry,
      timeoutMs: spec.timeoutMs,
      keepStdout,
      hashStdout: allEqual,
      scope: target.scope,
      badVerdict: 'failed',
      journal: [],
    },
  }));
  const merged = mergeResults(results);
  const check = allEqual && merged.verdict === 'passed' ? checkAllEqual(results) : undefined;
  return {
    ...merged,
    ...(check && check.ok !== true && { verdict: 'failed' as const, reason: `all_equal: ${check.expected}, but ${check.actual}` }),
    results,
    activities: results.map((result) => `${label.step}/${result.node}`),
    checks: check ? [check] : [],
    outputs: results.length > 0 ? (results[0] as NodeResult).outputs : NO_OUTPUTS,
  };
}

/** `all_equal`: the trimmed stdout is the same on all nodes. Compared by hash, because only heads and tails are in history. */
function checkAllEqual(results: readonly NodeResult[]): Check {
  const groups = new Map<string, string[]>();
  for (const result of results) {
    const key = result.stdout.trimmedSha256 ?? `?${result.node}`;
    groups.set(key, [...(groups.get(key) ?? []), result.node]);
  }
  const textOf = (node: string): string =>
    JSON.stringify(
      results
        .find((result) => result.node === node)
        ?.stdout.text.trim()
        .slice(0, 120),
    );
  const actual = [...groups.values()].map((nodes) => `${nodes.join(', ')}: ${textOf(nodes[0] as string)}`).join('; ');
  return { matcher: 'all_equal', expected: 'the same output on all nodes', actual: actual.slice(0, 500), ok: groups.size <= 1 };
}
