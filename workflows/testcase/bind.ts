import { ExpandError } from '../../dsl/expand/expand-error.ts';
import { rolesIn } from '../../dsl/expand/roles.ts';
import { resolveNodes } from '../../dsl/expand/select-nodes.ts';
import type { Node } from '../../dsl/model/node.ts';
import { isBad } from '../../dsl/model/verdict.ts';
import { isSuiteError } from '../base/engine-bug.ts';
import { namesOf } from '../step/nodes-for.ts';
import { askRoles, roleNames } from '../step/roles.ts';
import type { LiveRoles, StepLabel, StepOutcome } from '../step/stage.ts';
import { bodyWithoutRun, noteFinished, noteStarted, stageScope } from '../step/stage.ts';
import type { TestcaseStage } from './testcase-stage.ts';

/**
 * Pins the nodes of `bind`, once per attempt: all roles they name are asked together, each selector must then match exactly one node. Every bind is an
 * entry of the report with the node it got. Resolves with the first that could not be pinned.
 */
export async function pinNodes(stage: TestcaseStage): Promise<StepOutcome | undefined> {
  const { bind } = stage.slice.testcase;
  const entries = Object.entries(bind);
  const names = roleNames(stage);
  const needed = rolesIn(
    entries.map(([, nodes]) => ({ nodes })),
    names,
  );
  let roles: LiveRoles = {};
  if (needed.length > 0) {
    const asked = await askRoles(
      stage,
      { label: labelOf(stage, 'bind', 'bind', entries[0]?.[0] ?? ''), id: 'testcase.bind', isStep: false },
      needed,
    );
    if (asked.kind === 'bad') {
      const [name, selector] = entries.find(([, nodes]) => rolesIn([{ nodes }], names).length > 0) as [string, string];
      return end(stage, name, selector, undefined, asked.body.verdict, asked.body.reason);
    }
    ({ roles } = asked);
  }
  for (const [name, selector] of entries) {
    const outcome = pin(stage, name, selector, roles);
    if (isBad(outcome.verdict)) return outcome;
  }
  return undefined;
}

function pin(stage: TestcaseStage, name: string, selector: string, roles: LiveRoles): StepOutcome {
  try {
    const node = onlyNode(stage, name, selector, roles);
    stage.bind.set(name, node);
    return end(stage, name, selector, node, 'passed');
  } catch (error) {
    if (!isSuiteError(error)) throw error;
    return end(stage, name, selector, undefined, 'broken', error.message);
  }
}

function onlyNode(stage: TestcaseStage, name: string, selector: string, roles: LiveRoles): Node {
  const nodes = resolveNodes(selector, stage.slice.context, {
    scope: { values: stageScope(stage, undefined, roles) },
    seed: stage.run.seed,
    draw: [],
    roles: namesOf(roles),
    roleNames: roleNames(stage).roles,
  });
  const [node, ...more] = nodes;
  if (node && more.length === 0) return node;
  throw new ExpandError(
    'NOT_ONE_NODE',
    `bind.${name}: "${selector}" matches ${nodes.length} nodes (${nodes.map((each) => each.name).join(', ')}), it must be exactly one, e.g. ${selector}[0]`,
  );
}

/** Both ends of the entry at once: a bind takes no time of its own. */
function end(
  stage: TestcaseStage,
  name: string,
  selector: string,
  node: Node | undefined,
  verdict: StepOutcome['verdict'],
  reason?: string,
): StepOutcome {
  const at = Date.now();
  const label = labelOf(stage, `bind.${name}`, `bind ${name}: ${selector}`, name);
  const nodes = node ? [node.name] : [];
  noteStarted(stage, label, nodes, at);
  return noteFinished(stage, label, nodes, at, { ...bodyWithoutRun(verdict, reason), outputs: node ? { node: node.name } : {} });
}

function labelOf(stage: TestcaseStage, step: string, title: string, name: string): StepLabel {
  return {
    step: `testcase.${step}`,
    kind: 'hook',
    phase: 'before',
    name,
    title,
    continueOnError: false,
    location: stage.slice.testcase.location,
  };
}
