import { rolesIn, rolesInSelector } from '../../dsl/expand/roles.ts';
import { selectorTextsIn } from '../../dsl/expand/select-nodes.ts';
import type { Node } from '../../dsl/model/node.ts';
import type { CommandSpec } from '../../dsl/model/plan.ts';
import { firstReachable, nodesFor, nodesToReach } from './nodes-for.ts';
import { askRoles, roleNames } from './roles.ts';
import type { BodyOutcome, LiveRoles, Stage, StepLabel } from './stage.ts';
import { stageScope } from './stage.ts';

/** Where a step runs, and the roles that its texts read. */
export type Preparation =
  | { readonly kind: 'ready'; readonly nodes: readonly Node[]; readonly roles: LiveRoles | undefined }
  /** A role that the step needs does not hold: the step ends so. */
  | { readonly kind: 'bad'; readonly body: BodyOutcome };

export interface ToPrepare {
  readonly spec: Pick<CommandSpec, 'nodes' | 'pick' | 'inputs'>;
  /** Everything whose texts may read roles: the command itself, matchers, verifications. */
  readonly texts: readonly unknown[];
  /** Nodes that are settled already: the selector is then not looked at. */
  readonly nodes?: readonly Node[];
  /** Of the activities and report entries; default the step. */
  readonly id?: string;
}

/**
 * Nodes and roles of a step, asked of the live cluster when the step needs it. Most steps need nothing live: they get their answer at once and not
 * as a promise, so that they are scheduled in the very same moment as ever. Throws (or rejects with) errors with a `code`: the step is then broken.
 */
export function prepare(stage: Stage, label: StepLabel, wanted: ToPrepare): Preparation | Promise<Preparation> {
  const names = roleNames(stage);
  if (names.roles.length > 0) {
    const needed = rolesIn(wanted.nodes ? wanted.texts.map(withoutNodes) : wanted.texts, names);
    if (needed.length > 0 || wanted.spec.nodes?.includes('${{')) return prepareWithRoles(stage, label, wanted, needed);
  }
  return choose(stage, label, wanted, undefined);
}

async function prepareWithRoles(stage: Stage, label: StepLabel, wanted: ToPrepare, needed: readonly string[]): Promise<Preparation> {
  const id = wanted.id ?? label.step;
  let roles: LiveRoles | undefined;
  if (needed.length > 0) {
    const asked = await askRoles(stage, { label, id }, needed);
    if (asked.kind === 'bad') return asked;
    ({ roles } = asked);
  }
  // A selector that comes out of a mark may name further roles.
  const names = roleNames(stage);
  const texts = wanted.nodes ? [] : selectorTextsIn(wanted.spec, { values: stageScope(stage, undefined, roles) });
  const more = [...new Set(texts.flatMap((text) => rolesInSelector(text, names)))].filter((role) => !Object.hasOwn(roles ?? {}, role));
  if (more.length > 0) {
    const asked = await askRoles(stage, { label, id: `${id}/nodes` }, more);
    if (asked.kind === 'bad') return asked;
    roles = { ...roles, ...asked.roles };
  }
  return choose(stage, label, wanted, roles);
}

function choose(stage: Stage, label: StepLabel, wanted: ToPrepare, roles: LiveRoles | undefined): Preparation | Promise<Preparation> {
  if (wanted.nodes) return { kind: 'ready', nodes: wanted.nodes, roles };
  const reach = nodesToReach(stage, label.step, wanted.spec, roles);
  if (!reach) return { kind: 'ready', nodes: nodesFor(stage, label.step, wanted.spec, roles), roles };
  return firstReachable(stage, wanted.id ?? label.step, reach).then((node) => ({ kind: 'ready', nodes: [node], roles }));
}

function withoutNodes(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'nodes' in value ? { ...value, nodes: undefined } : value;
}
