import { decodeHistory } from '../../activities/history/decode-history.ts';
import { selectNodes, SelectorError } from '../../dsl/expression/selector.ts';
import type { Node } from '../../dsl/model/node.ts';
import type { HelloResult } from '../../dsl/model/workflow-io.ts';
import type { Plan } from '../../dsl/model/plan.ts';
import { EXIT } from '../../report/exit-code.ts';
import { columns, padColumns, visibleLine } from '../../report/terminal/terminal-text.ts';
import type { CliIo } from '../cli/io.ts';
import type { SuiteOptions } from '../cli/options.ts';
import { drawSeed, loadValidPlan } from '../load-plan.ts';
import { nodeCheck, type NodeCheck } from '../nodes/check-report.ts';
import { CHECK_SCRIPT } from '../nodes/check-script.ts';
import { openServer } from '../open-server.ts';
import { paletteFor } from '../render/palette.ts';
import type { Palette } from '../../report/terminal/palette.ts';
import { runOnNodes, STEP, type OneCommandEnd, type OneCommandOptions } from '../run-on-nodes.ts';

/** Beyond this a skew between clocks makes times of different nodes hard to compare. */
const SKEW_MS = 500;

/** `onetear nodes SUITE [--json]`: the nodes of a suite, its inventory included, with their groups. Contacts nobody. */
export async function listNodes(file: string, options: SuiteOptions & { readonly json?: true }, io: CliIo): Promise<number> {
  const { plan } = await loadValidPlan(file, options, io, { execute: false, seed: options.seed ?? 0 });
  const groups = groupsOf(plan);
  const nodes = plan.context.nodes.map(({ name, connection, host, port = null, user = null, labels, vars }) => {
    const own = Object.keys(groups).filter((group) => groups[group]?.includes(name));
    return { name, connection, host, port, user, labels, groups: own, vars };
  });
  if (options.json) {
    io.out(`${JSON.stringify({ v: 1, suite: plan.suite.name, nodes, groups, roles: Object.keys(plan.definitions.roles) }, null, 2)}\n`);
    return EXIT.passed;
  }
  const rows = nodes.map((node) => [
    node.name,
    node.connection,
    `${node.user === null ? '' : `${node.user}@`}${node.host}${node.port === null ? '' : `:${node.port}`}`,
    node.groups.join(' '),
    Object.entries(node.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(' '),
  ]);
  io.out(table([['NODE', 'CONNECTION', 'ADDRESS', 'GROUPS', 'LABELS'], ...rows]));
  const roles = Object.keys(plan.definitions.roles);
  if (roles.length > 0) io.out(`\nroles (asked of the live cluster when a step needs them): ${roles.join(', ')}\n`);
  return EXIT.passed;
}

/** Members of every group; one that hangs on a role is known only in a run. */
function groupsOf(plan: Plan): { readonly [group: string]: readonly string[] } {
  const { nodes, groups } = plan.context;
  return Object.fromEntries(
    Object.entries(groups).flatMap(([name, selector]) => {
      try {
        return [[name, selectNodes(selector, { nodes, groups }).map((node) => node.name)]];
      } catch (error) {
        if (!(error instanceof SelectorError)) throw error;
        return [];
      }
    }),
  );
}

/**
 * `onetear nodes check SUITE [--json]`: greets every node and looks at its shell, clock, tools and rights, with the same engine as a run. Changes
 * nothing on them but the private folder for jobs. Exit 12 when a node cannot be reached.
 */
export async function checkNodes(
  file: string,
  options: OneCommandOptions & { readonly json?: true; readonly color?: boolean | undefined },
  io: CliIo,
): Promise<number> {
  const { plan } = await loadValidPlan(file, options, io, { execute: false, seed: options.seed ?? drawSeed() });
  const end = await runOnNodes(
    file,
    { name: 'nodes-check', command: { run: 'shell', cmd: CHECK_SCRIPT, nodes: 'all', description: 'look at the node', timeoutMs: 30_000 } },
    options,
    io,
  );
  const offsets = await clockOffsets(end, options, io);
  const step = end.steps.find((each) => each.step === STEP);
  const checks = plan.context.nodes.map((node) => checkOf(node, step, offsets));
  if (options.json) io.out(`${JSON.stringify({ v: 1, suite: plan.suite.name, run: end.run, nodes: checks }, null, 2)}\n`);
  else io.out(checksText(checks, paletteFor('stdout', options.color, io)));
  return end.exit;
}

function checkOf(node: Node, step: OneCommandEnd['steps'][number] | undefined, offsets: ReadonlyMap<string, number>): NodeCheck {
  const result = step?.results.find((each) => each.node === node.name);
  const found =
    result?.verdict === 'passed'
      ? { stdout: result.stdout }
      : { reason: result?.reason ?? step?.reason ?? 'the run ended before it was looked at' };
  return nodeCheck(node, found, offsets.get(node.name) ?? null);
}

/** What the first contact with each node found: it stands in the history of the run, and in no event. */
async function clockOffsets(end: OneCommandEnd, options: OneCommandOptions, io: CliIo): Promise<ReadonlyMap<string, number>> {
  const offsets = new Map<string, number>();
  if (end.workflowId === undefined) return offsets;
  const server = await openServer({ ...options, worker: 'ignore' }, io, () => undefined);
  try {
    const handle = server.client.workflow.getHandle(end.workflowId);
    const [history, { runId }] = await Promise.all([handle.fetchHistory(), handle.describe()]);
    const { facts } = await decodeHistory(history.events ?? [], { workflowId: end.workflowId, runId }, server.converter);
    for (const fact of facts) {
      if (fact.kind !== 'activity_finished' || fact.status !== 'completed' || !fact.activityId.startsWith('hello/')) continue;
      const { node, clockOffsetMs } = fact.result as HelloResult;
      offsets.set(node, clockOffsetMs);
    }
    return offsets;
  } finally {
    await server.connection.close();
  }
}

function checksText(checks: readonly NodeCheck[], palette: Palette): string {
  const lines: string[] = [];
  for (const check of checks) {
    const name = palette.bold(visibleLine(check.name));
    if (!check.reachable) {
      lines.push(`${palette.red('✗')} ${name}  ${check.connection} ${visibleLine(check.host)}: ${visibleLine(check.reason ?? '')}`, '');
      continue;
    }
    const rights = { yes: 'root', sudo: 'root by sudo', no: 'no root (sudo -n refused)' }[check.root ?? 'no'];
    const offset = check.clock_offset_ms;
    const clock = offset === null ? 'clock unknown' : `clock ${offset > 0 ? '+' : ''}${offset} ms`;
    const isOff = offset !== null && Math.abs(offset) > SKEW_MS;
    lines.push(`${palette.green('✓')} ${name}  ${check.connection} ${visibleLine(check.host)}, ${visibleLine(check.system ?? '')}`);
    lines.push(
      `    user ${visibleLine(check.user ?? '?')}, ${rights}; sh is ${visibleLine(check.shell ?? '?')}; ${isOff ? palette.yellow(clock) : clock}`,
    );
    const free = check.free_kb === null ? '' : `, ${Math.floor(check.free_kb / 1_024)} MiB free`;
    lines.push(`    jobs in ${visibleLine(check.jobs ?? 'no folder that can be written')}${free}`);
    if (check.missing.length > 0) lines.push(`    ${palette.red(`missing for any command: ${check.missing.join(', ')}`)}`);
    for (const fault of check.faults) {
      lines.push(
        `    ${fault.ok ? palette.green('✓') : palette.yellow('–')} ${fault.fault}${fault.ok ? '' : palette.dim(`: needs ${fault.missing.join(', ')}`)}`,
      );
    }
    lines.push('');
  }
  const reached = checks.filter((check) => check.reachable).length;
  lines.push(`${reached} of ${checks.length} nodes reached`);
  return `${lines.join('\n')}\n`;
}

/** Columns as wide as their widest cell. */
function table(rows: readonly (readonly string[])[]): string {
  const shown = rows.map((row) => row.map(visibleLine));
  const widths = (shown[0] ?? []).map((_, index) => Math.max(...shown.map((row) => columns(row[index] ?? ''))));
  return shown
    .map(
      (row) =>
        `${row
          .map((cell, index) => padColumns(cell, widths[index] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
