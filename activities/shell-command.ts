import type { Command } from '../dsl/model/command.ts';
import { jobEnvironment } from './job-environment.ts';
import { jobPrelude } from './nodes/job-prelude.ts';
import { runJob } from './nodes/run-job.ts';
import { carriesSecrets } from './secrets/prepare-command.ts';
import { shellWord } from './nodes/shell-word.ts';
import type { Execution, JobContext } from './run-types.ts';

/** `run: shell`: a script for `sh` or `bash`, or a program with arguments that no shell looks at. */
export const shellCommand: Command<JobContext, Execution> = {
  async execute(context) {
    const { command, place, run } = context;
    const script = scriptOf(command.cmd ?? '');
    const stdin = command.stdin ?? '';
    const env = jobEnvironment(context);
    if ([script, stdin, command.cwd ?? '', ...Object.values(env)].some((text) => text.includes('\0'))) {
      return { kind: 'not_run', code: 'refused', why: 'a NUL byte cannot stand in a command, its stdin, environment or working directory' };
    }
    // The suite's folder is on this machine, and may be closed to another user; elsewhere a command starts in its user's home.
    const home = place.node.connection !== 'local' || place.identity.user !== undefined || place.identity.sudo;
    const cwd = command.cwd ?? (home ? undefined : run.suiteDir);
    return runJob(place, {
      job: context.job,
      runner: typeof command.cmd === 'string' ? command.shell : 'sh',
      script,
      prelude: jobPrelude(context.job, env, cwd, { once: carriesSecrets(command) }),
      stdin,
      timeoutMs: context.timeoutMs,
    });
  },
};

/** Text as it stands; a list becomes one `exec` of quoted words, so that nothing in it is expanded. */
function scriptOf(cmd: string | readonly string[]): string {
  return typeof cmd === 'string' ? cmd : `exec ${cmd.map(shellWord).join(' ')}\n`;
}
