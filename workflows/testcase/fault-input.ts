import { workflowInfo } from '@temporalio/workflow';
import { secretShellText } from '../../dsl/expression/secret-text.ts';
import { recoverSpec, verifySpec } from '../../dsl/expand/chaos-spec.ts';
import type { MatcherBlock } from '../../dsl/model/matcher.ts';
import type { Node } from '../../dsl/model/node.ts';
import type { ChaosSpec } from '../../dsl/model/plan.ts';
import type { VerifyDefinition } from '../../dsl/model/suite.ts';
import type { FaultInput, FaultTarget, RenderedCommand } from '../../dsl/model/workflow-io.ts';
import { faultId } from '../base/ids.ts';
import { nodesFor } from '../step/nodes-for.ts';
import { renderTarget } from '../step/render.ts';
import type { LiveRoles, Stage } from '../step/stage.ts';

const DEFAULT_RECOVER_WITHIN_MS = 120_000;

/**
 * Everything a fault will ever need, rendered now: recovery must not depend on any later state, nor on this workflow being alive.
 * Throws errors with a `code`: the step is then broken and nothing was injected.
 */
export function faultInput(stage: Stage, step: string, spec: ChaosSpec, nodes: readonly Node[], roles?: LiveRoles): FaultInput {
  const info = workflowInfo();
  return {
    v: 1,
    run: stage.run,
    id: faultId(stage.run, stage.cell.id, stage.attempt, step),
    owner: { workflowId: info.workflowId, runId: info.runId },
    testcase: stage.cell.id,
    attempt: stage.attempt,
    step,
    name: spec.name,
    title: spec.title,
    targets: nodes.map((node) => faultTarget(stage, step, spec, node, roles)),
    incarnations: Object.fromEntries(stage.incarnations),
    ...(spec.durationMs !== undefined && { durationMs: spec.durationMs }),
    recoverWithinMs: spec.recover?.withinMs ?? DEFAULT_RECOVER_WITHIN_MS,
    irreversible: spec.irreversible,
  };
}

function faultTarget(stage: Stage, step: string, spec: ChaosSpec, node: Node, roles: LiveRoles | undefined): FaultTarget {
  const inject = renderTarget(stage, step, spec.inject, node, spec.inject.expect, roles);
  const undo = recoverSpec(stage.slice, spec);
  const recover = undo && renderTarget(stage, step, undo, node, undo.expect, roles);
  return {
    node,
    inject: inject.command,
    injectTimeoutMs: spec.inject.timeoutMs,
    ...(spec.verify && { verify: verifyTarget(stage, step, spec, spec.verify, node, roles) }),
    ...(undo &&
      recover && {
        recover: {
          command: recover.command,
          timeoutMs: undo.timeoutMs,
          ...(spec.recover?.verify && { verify: verifyTarget(stage, step, spec, spec.recover.verify, node, roles) }),
        },
      }),
    undo: recover ? undoText(recover.command) : '',
    scope: inject.scope,
  };
}

function verifyTarget(
  stage: Stage,
  step: string,
  spec: ChaosSpec,
  verify: VerifyDefinition,
  node: Node,
  roles: LiveRoles | undefined,
): { node: Node; command: RenderedCommand; match: MatcherBlock; withinMs: number; everyMs: number } {
  const command = verifySpec(stage.slice, spec, verify);
  const from = verify.nodes === undefined ? node : (nodesFor(stage, step, { ...command, pick: 'one' }, roles)[0] as Node);
  // Rendered for the faulted node: the values are those of the injection, wherever the look is taken from.
  const target = renderTarget(stage, step, command, node, verify.match, roles);
  return { node: from, command: target.command, match: target.match, withinMs: verify.withinMs, everyMs: verify.everyMs };
}

/** The undo as a person can paste it into a shell on the node: with the variables that it names. */
export function undoText(command: RenderedCommand): string {
  const text = typeof command.cmd === 'string' ? command.cmd.trim() : (command.cmd ?? []).map(quote).join(' ');
  const named = Object.entries(command.env).filter(([name]) => new RegExp(`\\$(?:${name}\\b|\\{${name}\\b)`).test(text));
  const secrets = new Map((command.secretTexts ?? []).map(({ path, parts }) => [path[0] === 'env' ? path[1] : undefined, parts]));
  const wordOf = (name: string, value: string): string => {
    const parts = secrets.get(name);
    return parts === undefined ? quote(value) : secretShellText(parts);
  };
  return [...named.map(([name, value]) => `${name}=${wordOf(name, value)};`), text].join(' ');
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
