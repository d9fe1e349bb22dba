import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { NodeEventResult } from '../../dsl/model/events.ts';
import { parseDuration } from '../../dsl/expression/duration.ts';
import { VERDICT_STYLE } from '../../report/terminal/palette.ts';
import { visible, visibleLine } from '../../report/terminal/terminal-text.ts';
import { usageError } from '../cli/cli-error.ts';
import type { CliIo } from '../cli/io.ts';
import { paletteFor } from '../render/palette.ts';
import { runOnNodes, STEP, type OneCommandEnd, type OneCommandOptions } from '../run-on-nodes.ts';

export interface ExecOptions extends OneCommandOptions {
  readonly suite?: string;
  readonly pick?: string;
  /** Nodes at a time. */
  readonly parallel?: number;
  readonly timeout?: string;
  readonly user?: string;
  readonly sudo?: true;
  readonly json?: true;
  readonly color?: boolean | undefined;
}

/**
 * `onetear exec SELECTOR -- CMD`: one command on the nodes that match, with the engine's guarantees. One word is shell text, several are a program and
 * its arguments. Output goes where it came from (stdout, stderr), with the node's name in front when there are several. The exit code is the verdict's.
 */
export async function exec(selector: string, words: readonly string[], options: ExecOptions, io: CliIo): Promise<number> {
  const [first, ...more] = words;
  if (first === undefined) throw usageError('CLI_USAGE', 'what is to be run stands behind --', `onetear exec ${selector} -- uname -a`);
  const file = suiteFile(options.suite, io);
  const timeoutMs = options.timeout === undefined ? undefined : parseDuration(options.timeout);
  if (options.timeout !== undefined && timeoutMs === undefined)
    throw usageError('CLI_USAGE', `--timeout ${options.timeout}: write 30s or 1m30s`);
  const end = await runOnNodes(
    file,
    {
      name: 'exec',
      command: {
        run: 'shell',
        cmd: more.length === 0 ? first : [first, ...more],
        nodes: selector,
        pick: pickOf(options.pick),
        ...(options.parallel !== undefined && { maxParallel: options.parallel }),
        ...(timeoutMs !== undefined && { timeoutMs }),
        ...(options.user !== undefined && { user: options.user }),
        ...(options.sudo && { sudo: true }),
      },
    },
    options,
    io,
    (step) => {
      if (step.step === STEP && !options.json) for (const result of step.results) print(result, step.results.length > 1, options, io);
    },
  );
  if (options.json) io.out(`${JSON.stringify(documentOf(end), null, 2)}\n`);
  else printEnd(end, io);
  return end.exit;
}

/** The named suite, else `suite.yaml` in this folder: somebody has to say which nodes there are. */
function suiteFile(wanted: string | undefined, io: CliIo): string {
  if (wanted !== undefined) return wanted;
  if (existsSync(resolve(io.cwd, 'suite.yaml'))) return 'suite.yaml';
  throw usageError('CLI_NO_SUITE', 'there is no suite.yaml in this folder to take the nodes from', 'Name one with --suite FILE.');
}

type PickWord = 'all' | 'one' | 'first' | 'random' | 'minority' | 'majority';
const PICKS: readonly string[] = ['all', 'one', 'first', 'random', 'minority', 'majority'] satisfies readonly PickWord[];

function pickOf(text: string | undefined): PickWord | number {
  if (text === undefined) return 'all';
  if (PICKS.includes(text)) return text as PickWord;
  if (/^[1-9]\d*$/u.test(text)) return Number(text);
  throw usageError('CLI_USAGE', `--pick ${text}: one of ${PICKS.join(', ')}, or a number`);
}

function print(result: NodeEventResult, named: boolean, options: ExecOptions, io: CliIo): void {
  for (const [text, write, stream] of [
    [result.stdout, io.out, 'stdout'],
    [result.stderr, io.err, 'stderr'],
  ] as const) {
    if (text === '') continue;
    const isTty = stream === 'stdout' ? io.stdoutIsTty : io.stderrIsTty;
    // A terminal must not be steered by what a node says; a pipe gets it as it is.
    const shown = isTty ? visible(text) : text;
    const palette = paletteFor(stream, options.color, io);
    const lines = named
      ? shown
          .replace(/\n$/u, '')
          .split('\n')
          .map((line) => `${palette.cyan(`${result.node} |`)} ${line}`)
      : [shown.replace(/\n$/u, '')];
    write(`${lines.join('\n')}\n`);
  }
  if (result.verdict === undefined || result.verdict === 'passed') return;
  const palette = paletteFor('stderr', options.color, io);
  const { symbol, colour } = VERDICT_STYLE[result.verdict];
  io.err(
    `${palette[colour](symbol)} ${visibleLine(result.node)} ${result.verdict}: ${visibleLine(result.reason ?? `exit ${result.exit_code}`)}\n`,
  );
}

/** What no node's own line has said: a role or selector that gave no node, outputs that were cut. */
function printEnd({ steps, finished, run }: OneCommandEnd, io: CliIo): void {
  const step = steps.find((each) => each.step === STEP);
  if (step && step.results.length === 0 && step.reason !== null) io.err(`${step.verdict}: ${visibleLine(step.reason)}\n`);
  if (!step && finished?.type === 'run_finished')
    io.err(`${finished.verdict}: ${visibleLine(finished.testcases[0]?.reason ?? finished.verdict)}\n`);
  const cut = step?.results.filter((result) => result.artifact !== null) ?? [];
  const folder = finished?.type === 'run_finished' ? finished.results : '';
  for (const result of cut) io.err(`whole output of ${visibleLine(result.node)}: ${join(folder, result.artifact ?? '')}\n`);
  if (finished?.type === 'run_finished' && finished.exit !== 0) io.err(`run ${run}\n`);
}

function documentOf({ steps, finished, run, exit }: OneCommandEnd): object {
  const step = steps.find((each) => each.step === STEP);
  return {
    v: 1,
    run,
    verdict: step?.verdict ?? (finished?.type === 'run_finished' ? finished.verdict : 'broken'),
    reason: step?.reason ?? (finished?.type === 'run_finished' ? (finished.testcases[0]?.reason ?? null) : null),
    exit,
    results: step?.results ?? [],
  };
}
