import type { Diagnostic } from '../model/diagnostic.ts';
import type { Location } from '../model/location.ts';
import type { Suite } from '../model/suite.ts';

interface Named {
  readonly kind: string;
  readonly name: string;
  /** Groups have none of their own in the model: the place of what collides with them is shown. */
  readonly location?: Location;
}

/** Names that are given twice where one word must mean one thing, also across includes. */
export function duplicateNames(suite: Suite): Diagnostic[] {
  const nodes = suite.context.nodes ?? [];
  const spaces: readonly (readonly Named[])[] = [
    [...suite.commands.map((item) => named('command', item)), ...suite.chaos.map((item) => named('chaos', item))],
    suite.probes.map((item) => named('probe', item)),
    suite.testcases.map((item) => named('testcase', item)),
    [
      ...Object.keys(suite.context.groups).map((name) => ({ kind: 'group', name })),
      ...nodes.map((item) => named('node', item)),
      ...suite.roles.map((item) => named('role', item)),
    ],
  ];
  return spaces.flatMap(duplicatesIn);
}

function named(kind: string, { name, location }: { readonly name?: string; readonly location: Location }): Named {
  return { kind, name: name ?? '', location };
}

function duplicatesIn(space: readonly Named[]): Diagnostic[] {
  const first = new Map<string, Named>();
  const found: Diagnostic[] = [];
  for (const item of space) {
    const other = first.get(item.name);
    if (!other) {
      first.set(item.name, item);
      if (item.kind === 'node' && item.name === 'all' && item.location)
        found.push(diagnostic('"all" means every node and cannot name one', item.location));
      continue;
    }
    const location = item.location ?? other.location;
    if (!location) continue;
    const where = other.location ? `, as a ${other.kind} at ${other.location.file}:${other.location.line}` : `, as a ${other.kind}`;
    found.push(diagnostic(`the name "${item.name}" of this ${item.kind} is already used${where}`, location));
  }
  return found;
}

function diagnostic(message: string, location: Location): Diagnostic {
  return { code: 'SUITE_DUPLICATE_NAME', severity: 'error', message, location, length: 1 };
}
