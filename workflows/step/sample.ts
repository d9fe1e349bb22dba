import type { MatcherBlock } from '../../dsl/model/matcher.ts';
import type { Node } from '../../dsl/model/node.ts';
import type { CommandSpec } from '../../dsl/model/plan.ts';
import type { FanoutCall, SampleInput } from '../../dsl/model/workflow-io.ts';
import { dispatch } from './dispatch.ts';
import { mergeResults } from './fan-out.ts';
import { prepare } from './prepare.ts';
import type { Preparation } from './prepare.ts';
import { addressOf, renderTarget } from './render.ts';
import type { Target } from './render.ts';
import type { BodyOutcome, LiveRoles, Stage, StepLabel } from './stage.ts';
import { knownIncarnation, NO_OUTPUTS, queueFor } from './stage.ts';

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
  /** Roles that were asked for it already. */
  readonly roles?: LiveRoles;
}

/**
 * Nodes of a series and the roles its texts read, for a step that is said to have started only when they are known.
 * As {@link prepare}: no promise when nothing has to be asked.
 */
export function prepareSeries(
  stage: Stage,
  label: StepLabel,
  series: Pick<Series, 'spec' | 'nodes' | 'match'>,
  id?: string,
): Preparation | Promise<Preparation> {
  return prepare(stage, label, {
    spec: series.spec,
    texts: [series.spec, series.match],
    ...(series.nodes && { nodes: series.nodes }),
    ...(id !== undefined && { id }),
  });
}

/** Takes the samples, one activity per node; the condition must hold on every node. Throws errors with a `code` from rendering. */
export async function takeSamples(stage: Stage, label: StepLabel, given: Series): Promise<BodyOutcome> {
  const asked = given.roles
    ? undefined
    : prepareSeries(stage, label, given, given.path === '' ? undefined : `${label.step}/${given.path.slice(0, -1)}`);
  const prepared = asked instanceof Promise ? await asked : asked;
  if (prepared?.kind === 'bad') return prepared.body;
  const series = prepared ? { ...given, ...prepared } : given;
  const { spec, nodes = [], roles } = series;
  const targets = nodes.map((node) => renderTarget(stage, label.step, spec, node, series.match, roles));
  const activityId = (node: string): string => `${label.step}/${series.path}${node}`;
  // Two series of one step must not share their jobs on the node.
  const address =
    series.path === '' ? addressOf(stage, label) : { ...addressOf(stage, label), step: `${label.step}/${series.path.slice(0, -1)}` };
  const callOf = (target: Target): FanoutCall => ({
    kind: 'sample',
    activityId: activityId(target.node.name),
    taskQueue: queueFor(stage, target.node, spec),
    input: {
      v: 1,
      run: stage.run,
      address,
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
      journal: [],
    },
  });
  const results = await dispatch(stage, label, targets, Math.max(targets.length, 1), callOf, series.path);
  return {
    ...mergeResults(results),
    results,
    activities: results.map((result) => activityId(result.node)),
    checks: [],
    outputs: NO_OUTPUTS,
  };
}
