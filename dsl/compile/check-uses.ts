import type { Location } from '../model/location.ts';
import type { PlannedStep } from '../model/plan.ts';
import { entry } from './world.ts';
import type { DefinitionFacts } from './inspect-definition.ts';
import type { TextUse } from './inspect-text.ts';
import type { MemberRoot } from './member-references.ts';
import { STEP_FIELDS } from './names.ts';
import { unknownName } from './reporter.ts';
import type { World } from './world.ts';

/** A place where texts are used: what exists there. */
export interface Site {
  /** How messages name it: `testcase "t"`, `the suite`. */
  readonly owner: string;
  readonly params: ReadonlySet<string>;
  readonly bind: ReadonlySet<string>;
  /** Names of variables of the context, the testcase and `--env`. */
  readonly env: ReadonlySet<string>;
  /** Top-level names that do not exist here at all. */
  readonly missing: ReadonlySet<string>;
  readonly steps: ReadonlyMap<string, PlannedStep>;
  /** Steps whose stdout a later text names. Filled by the checks. */
  readonly keptStdout: Set<string>;
  /** Probes that texts read. Filled by the checks. */
  readonly readProbes: Set<string>;
  /** Uses of what only a live cluster can answer (roles, probes, bind). Filled by the checks. */
  readonly liveUses: TextUse[];
}

/** One use of texts at a site. */
export interface UsePlace {
  /** `step "a"`. */
  readonly owner: string;
  readonly location: Location;
  /** Variables that only this place adds. */
  readonly env?: readonly string[];
  /** The definition whose texts are used: mistakes are shown where it stands, once however often it is used. */
  readonly definition?: Pick<DefinitionFacts, 'owner' | 'location'>;
  /** Whether a known step has ended when the text is rendered. */
  readonly isBefore: (id: string) => boolean;
}

const NO_KEYS: ReadonlySet<string> = new Set();

/** Texts of a definition and of its hooks, used here. */
export function checkFacts(world: World, site: Site, facts: DefinitionFacts, place: UsePlace): void {
  if (facts.uses.length > 0) {
    const env = place.env ? [...place.env, ...facts.env] : facts.env;
    checkUses(world, site, facts.uses, { owner: place.owner, location: place.location, isBefore: place.isBefore, env, definition: facts });
  }
  for (const hook of facts.hooks) checkFacts(world, site, hook.facts, { ...place, owner: `a hook of ${place.owner}` });
}

/** Names that texts read and that do not exist at this site. */
export function checkUses(world: World, site: Site, uses: readonly TextUse[], place: UsePlace): void {
  for (const use of uses) {
    if (use.names.has('roles') || use.names.has('probes') || use.names.has('bind')) site.liveUses.push(use);
    for (const name of use.names) {
      if (site.missing.has(name)) tell(world, site, place, use, 'SUITE_NOT_AVAILABLE', name, `${site.owner} has no ${name}`);
    }
    for (const { root, key } of use.members) checkMember(world, site, use, root, key, place);
    for (const reference of use.steps) checkStepReference(world, site, use, reference, place);
    if (use.anyStep && use.mentionsStdout) for (const id of site.steps.keys()) if (place.isBefore(id)) site.keptStdout.add(id);
  }
}

function checkMember(world: World, site: Site, use: TextUse, root: MemberRoot, key: string, place: UsePlace): void {
  if (site.missing.has(root)) return;
  if (root === 'probes') site.readProbes.add(key);
  const known = knownKeys(world, site, root, place);
  if (known === undefined || known.has(key)) return;
  const { message, hint } = unknownName(NOUNS[root], key, known);
  tell(world, site, place, use, 'SUITE_UNKNOWN_NAME', `${root}.${key}`, message, hint);
}

const NOUNS: { readonly [root in MemberRoot]: string } = {
  params: 'param',
  inputs: 'input',
  bind: 'bind',
  roles: 'role',
  probes: 'probe',
  env: 'variable',
};

function knownKeys(world: World, site: Site, root: MemberRoot, place: UsePlace): ReadonlySet<string> | undefined {
  switch (root) {
    case 'params':
      return site.params;
    case 'bind':
      return site.bind;
    case 'roles':
      return world.roles;
    case 'probes':
      return new Set(Object.keys(world.definitions.probes));
    case 'env':
      return new Set([...site.env, ...(place.env ?? NO_KEYS)]);
    case 'inputs':
      // Settled by the definition that declares them.
      return undefined;
  }
}

function checkStepReference(world: World, site: Site, use: TextUse, reference: TextUse['steps'][number], place: UsePlace): void {
  if (site.missing.has('steps')) return;
  const { step: id, field, output } = reference;
  const step = site.steps.get(id);
  if (!step) {
    const { message, hint } = unknownName(`step of ${site.owner}`, id, site.steps.keys());
    tell(world, site, place, use, 'SUITE_UNKNOWN_NAME', `steps.${id}`, message, hint);
    return;
  }
  if (!place.isBefore(id)) {
    tell(
      world,
      site,
      place,
      use,
      'SUITE_NOT_AVAILABLE',
      `steps.${id}`,
      `step "${id}" is not certain to be over by then`,
      `add needs: ${id}`,
    );
    return;
  }
  if (field !== undefined && !STEP_FIELDS.has(field)) {
    const { message, hint } = unknownName(`field of a step`, field, STEP_FIELDS);
    tell(world, site, place, use, 'SUITE_UNKNOWN_NAME', `steps.${id}.${field}`, message, hint);
    return;
  }
  if (output !== undefined) checkOutput(world, site, use, step, output, place);
  const reads =
    field === 'stdout' ||
    (field === 'nodes' && (reference.nodeField === undefined || reference.nodeField === 'stdout')) ||
    field === undefined;
  if (reads && (field === 'stdout' || reference.nodeField === 'stdout' || use.mentionsStdout)) site.keptStdout.add(id);
}

function checkOutput(world: World, site: Site, use: TextUse, step: PlannedStep, output: string, place: UsePlace): void {
  const declared = declaredOutputs(world, step);
  if (!declared || declared.has(output)) return;
  const { message, hint } = unknownName(`output of step "${step.id}"`, output, declared);
  tell(world, site, place, use, 'SUITE_UNKNOWN_NAME', `steps.${step.id}.outputs.${output}`, message, hint ?? 'it declares no outputs');
}

/** Absent when the outputs are known only at run time: a module or python file returns what it likes. */
function declaredOutputs(world: World, step: PlannedStep): ReadonlySet<string> | undefined {
  if (step.kind !== 'command') return new Set();
  const definition = typeof step.command === 'string' ? entry(world.definitions.commands, step.command) : step.command;
  if (!definition || definition.run === 'module' || definition.run === 'python') return undefined;
  return new Set(Object.keys(step.overrides.outputs ?? definition.outputs));
}

type UseCode = 'SUITE_UNKNOWN_NAME' | 'SUITE_NOT_AVAILABLE';

function tell(
  world: World,
  site: Site,
  place: UsePlace,
  use: TextUse,
  code: UseCode,
  subject: string,
  message: string,
  hint?: string,
): void {
  const extra = hint === undefined ? {} : { hint };
  const { definition } = place;
  if (!definition) {
    world.reporter.error(code, place.location, `${place.owner}: ${use.path}: ${subject}: ${message}`, extra);
    return;
  }
  const { file, line, column } = definition.location;
  const key = `${file}:${line}:${column} ${use.path} ${subject}`;
  if (world.toldUses.has(key)) return;
  world.toldUses.add(key);
  const where = place.owner === site.owner ? site.owner : `${place.owner} of ${site.owner}`;
  world.reporter.error(code, definition.location, `${definition.owner}: ${use.path}: ${subject}: ${message} (used in ${where})`, extra);
}
