import { engineEnv, renderCommandIn, renderMatchers } from '../../dsl/expand/render-command.ts';
import { activityScope } from '../../dsl/expand/scope.ts';
import { resolveTimePoints } from '../../dsl/expand/time-points.ts';
import type { MatcherBlock } from '../../dsl/model/matcher.ts';
import type { Node } from '../../dsl/model/node.ts';
import type { CommandSpec } from '../../dsl/model/plan.ts';
import type { ValueMap } from '../../dsl/model/value.ts';
import type { RenderedCommand, StepAddress } from '../../dsl/model/workflow-io.ts';
import type { LiveRoles, Stage, StepLabel } from './stage.ts';
import { stageScope } from './stage.ts';

/** A command ready for one node. */
export interface Target {
  readonly node: Node;
  readonly command: RenderedCommand;
  /** The block that judges it, rendered. */
  readonly match: MatcherBlock;
  /** What `expr` and `outputs` name. */
  readonly scope: ValueMap;
}

/** Renders a command and the block that judges it for one node. Throws errors with a `code`: the step is then broken. */
export function renderTarget(
  stage: Stage,
  step: string,
  spec: CommandSpec,
  node: Node,
  match: MatcherBlock = spec.expect,
  roles?: LiveRoles,
): Target {
  const names = { run: stage.run.run, testcase: stage.cell.id, step, node: node.name };
  const { command, scope } = renderCommandIn(spec, { values: stageScope(stage, node, roles) }, engineEnv(names));
  return {
    node,
    command: { ...command, options: resolveTimePoints(spec.run, command.options, stage.marks) },
    match: renderMatchers(match, scope),
    scope: activityScope({ run: spec.run, expect: match, outputs: spec.outputs }, scope),
  };
}

export function addressOf(stage: Stage, label: StepLabel): StepAddress {
  return {
    testcase: stage.cell.id,
    attempt: stage.attempt,
    step: label.step,
    kind: label.kind,
    phase: label.phase,
    name: label.name,
    title: label.title,
  };
}
