import type { MatcherBlock } from '../../dsl/model/matcher.ts';
import type { Node } from '../../dsl/model/node.ts';
import type { CommandSpec } from '../../dsl/model/plan.ts';
import type { SampleInput } from '../../dsl/model/workflow-io.ts';
import { sampleCommand } from '../base/activity-calls.ts';
import { fanOut, mergeResults } from './fan-out.ts';
import { nodesFor } from './nodes-for.ts';
import { addressOf, renderTarget } from './render.ts';
import type { BodyOutcome, Stage, StepLabel } from './stage.ts';
import { cancelReason, knownIncarnation, NO_OUTPUTS, queueFor, rememberIncarnation } from './stage.ts';

/** A series of samples to take: the subject without its own expectations (see sampleSpec), and what must hold. */
export interface Series {
  readonly spec: CommandSpec;
  /** Nodes of an earlier run of the same command, instead of its selector. */
  readonly nodes?: readonly Node[];
  readonly match: MatcherBlock;
  readonly mode: SampleInput['mode'];
  readonly windowMs: number;
  readonly everyMs: number;
  /** Tells the activities of several series of one step apart; `` or `1.2/`. */
  readonly path: string;
}

/** Nodes of a series, chosen before the step is said to have started. */
export function seriesNodes(stage: Stage, step: string, series: Pick<Series, 'spec' | 'nodes'>): readonly Node[] {
  return series.nodes ?? nodesFor(stage, step, series.spec);
}

/** Takes the samples, one activity per node; the condition must hold on every node. Throws errors with a `code` from rendering. */
export async function takeSamples(stage: Stage, label: StepLabel, series: Series): Promise<BodyOutcome> {
  const { spec } = series;
  const targets = seriesNodes(stage, label.step, series).map((node) => renderTarget(stage, label.step, spec, node, series.match));
  const activityId = (node: string): string => `${label.step}/${series.path}${node}`;
  const results = await fanOut(targets, Math.max(targets.length, 1), async (target) =>
    rememberIncarnation(
      stage,
      await sampleCommand(
        {
          v: 1,
          run: stage.run,
          // Two series of one step must not share their jobs on the node.
          address:
            series.path === ''
              ? addressOf(stage, label)
              : { ...addressOf(stage, label), step: `${label.step}/${series.path.slice(0, -1)}` },
          node: target.node,
          ...knownIncarnation(stage, target.node),
          command: target.command,
          match: target.match,
          mode: series.mode,
          windowMs: series.windowMs,
          everyMs: series.everyMs,
          timeoutMs: spec.timeoutMs,
          scope: target.scope,
          badVerdict: 'failed',
          journal: stage.journal.take(),
        },
        {
          activityId: activityId(target.node.name),
          summary: label.title,
          taskQueue: queueFor(stage, target.node, spec),
          cancelReason: () => cancelReason(stage),
        },
      ),
    ),
  );
  return {
    ...mergeResults(results),
    results,
    activities: results.map((result) => activityId(result.node)),
    checks: [],
    outputs: NO_OUTPUTS,
  };
}
