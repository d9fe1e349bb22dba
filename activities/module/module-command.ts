import { readFileSync, realpathSync } from 'node:fs';
import { extname, join, resolve, sep } from 'node:path';

import type { Command } from '../../dsl/model/command.ts';
import { jobEnvironment } from '../job-environment.ts';
import { jobPrelude } from '../nodes/job-prelude.ts';
import { joinOutputs, type Output, textOutput } from '../nodes/job-output.ts';
import { type JobSpec, lookAtJob } from '../nodes/job.ts';
import { isNodeError } from '../nodes/node-error.ts';
import { runJob } from '../nodes/run-job.ts';
import { carriesSecrets } from '../secrets/prepare-command.ts';
import { shellWord } from '../nodes/shell-word.ts';
import type { Execution, JobContext } from '../run-types.ts';
import { MODULE_HOST } from './module-host.ts';
import { readModuleAnswer } from './module-result.ts';

/**
 * `run: module`: a JavaScript or TypeScript file in a process of its own on the worker's host. The process is a job of the local node, so it has the
 * same promises as a shell command: started once per try, found again after a crash, ended at its timeout.
 *
 * stdout of the result is `Result.stdout`, or what the module printed when it returned none; stderr is what it printed there, then `Result.stderr`.
 */
export const moduleCommand: Command<JobContext, Execution> = {
  async execute(context) {
    const found = findModule(context.run.suiteDir, context.command.file ?? '');
    if ('problem' in found) {
      if (!(await mayHaveStarted(context))) return { kind: 'not_run', code: 'refused', why: found.problem };
      const outcome = await runJob({ ...context.place, begin: 'attach' }, jobOf(context, '', '', ''));
      return outcome.kind === 'ended' && outcome.how === 'exit' ? withResult(outcome, readResult(outcome.directory)) : outcome;
    }
    const env = jobEnvironment(context);
    const flags = [...found.flags, '--input-type=module', '--eval', MODULE_HOST];
    // `$j` is the folder of the job: the supervisor's variable.
    const prelude = `export ONETEAR_RESULT="$j/result"\n${jobPrelude(context.job, env, context.command.cwd ?? context.run.suiteDir, {
      once: carriesSecrets(context.command),
    })}`;
    const script = `exec ${[process.execPath, ...flags].map(shellWord).join(' ')}\n`;
    const stdin = JSON.stringify({ file: found.path, context: moduleContext(context) });
    const outcome = await runJob(context.place, jobOf(context, script, prelude, stdin));
    if (outcome.kind !== 'ended' || outcome.how !== 'exit') return outcome;
    return withResult(outcome, readResult(outcome.directory));
  },
};

function jobOf({ job, timeoutMs }: JobContext, script: string, prelude: string, stdin: string): JobSpec {
  return { job, runner: 'sh', script, prelude, stdin, timeoutMs };
}

/**
 * Whether an earlier attempt may have started the job. Its file may have changed or gone since, and what ran has run: only the records count.
 */
async function mayHaveStarted({ place, job }: JobContext): Promise<boolean> {
  if (place.begin === 'attach') return true;
  if (place.attendance.attempt === 1) return false;
  try {
    const session = await place.pool.session(place.node, place.identity, place.node.connectWithinMs);
    const { kind } = (await lookAtJob(session, job)).state;
    return kind !== 'absent' && kind !== 'prepared';
  } catch (error) {
    // Who cannot look must not say that nothing ran.
    if (isNodeError(error)) return true;
    throw error;
  }
}

/** Names of suite-language §3. The environment is what the command's process really gets. */
function moduleContext({ scope, command, place }: JobContext): { readonly [name: string]: unknown } {
  const empty = { nodes: [], params: {}, inputs: {}, steps: {}, run: {}, testcase: {} };
  return { ...empty, node: { name: place.node.name, host: place.node.host }, ...scope, env: command.env };
}

/** The file under the suite's folder, links resolved, and the flags its kind needs. */
function findModule(
  suiteDir: string,
  file: string,
): { readonly path: string; readonly flags: readonly string[] } | { readonly problem: string } {
  let path: string;
  try {
    path = realpathSync(resolve(suiteDir, file));
  } catch (error) {
    return { problem: `cannot read the module ${file}: ${(error as NodeJS.ErrnoException).code ?? 'error'}` };
  }
  if (!path.startsWith(realpathSync(suiteDir) + sep)) return { problem: `the module ${file} lies outside the suite's folder` };
  switch (extname(path)) {
    case '.mjs':
    case '.js':
    case '.cjs':
      return { path, flags: [] };
    case '.ts':
    case '.mts':
    case '.cts': {
      const flags = typeScriptFlags(process.versions.node);
      if (flags !== undefined) return { path, flags };
      return {
        problem: `${file}: TypeScript modules need Node 22.6 or later; this worker runs Node ${process.versions.node}. Use a .mjs file`,
      };
    }
    default:
      return { problem: `${file}: a module is a .mjs, .js, .cjs or .ts file` };
  }
}

/** How this version of Node is told to strip types; `undefined` when it cannot. */
export function typeScriptFlags(version: string): readonly string[] | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > 23 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18)) return ['--disable-warning=ExperimentalWarning'];
  if (major === 23 || (major === 22 && minor >= 6)) return ['--experimental-strip-types', '--disable-warning=ExperimentalWarning'];
  return undefined;
}

function readResult(directory: string): string | undefined {
  try {
    return readFileSync(join(directory, 'result'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

type Ended = Extract<Execution, { readonly kind: 'ended' }>;

function withResult(outcome: Ended, text: string | undefined): Execution {
  if (text === undefined) {
    // Node's own exit code for a program whose last await waits for nothing.
    if (outcome.exitCode === 13)
      return {
        ...outcome,
        stderr: joinOutputs(outcome.stderr, textOutput("the module's promise never settled: nothing is left that could settle it\n")),
      };
    if (outcome.exitCode !== 0) return outcome;
    // It said nothing and called it success: that is not one.
    return {
      ...outcome,
      exitCode: 1,
      stderr: joinOutputs(outcome.stderr, textOutput('the module ended its process before it gave a result\n')),
    };
  }
  const answer = readModuleAnswer(text);
  if ('error' in answer && answer.mistake !== undefined) {
    const stderr = joinOutputs(outcome.stderr, textOutput(`${answer.error}\n`));
    return { kind: 'lost', why: answer.mistake, stdout: outcome.stdout, stderr, incarnation: outcome.incarnation };
  }
  if ('error' in answer) return { ...outcome, exitCode: 1, stderr: joinOutputs(outcome.stderr, textOutput(`${answer.error}\n`)) };
  const { result } = answer;
  const printed = result.stdout === undefined ? [] : [outcome.stdout];
  const stderr: readonly Output[] = [...printed, outcome.stderr, textOutput(result.stderr ?? '')];
  return {
    ...outcome,
    exitCode: result.exit_code ?? 0,
    stdout: result.stdout === undefined ? outcome.stdout : textOutput(result.stdout),
    stderr: joinOutputs(...stderr),
    outputs: result.outputs ?? {},
  };
}
