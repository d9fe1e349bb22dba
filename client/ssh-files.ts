import path from 'node:path';

import type { Node } from '../dsl/model/node.ts';
import type { SuiteContext } from '../dsl/model/suite.ts';
import type { CliIo } from './cli/io.ts';

/**
 * Files of ssh that a run uses instead of the user's own, absolute: `context.ssh` from the suite's folder on, `--ssh-config` from the working
 * directory on and before the suite's. They are read on the machine of the worker, which the path must fit when that is another one.
 */
export function sshFiles(context: SuiteContext['ssh'], suiteDir: string, option: string | undefined, io: CliIo): Node['ssh'] {
  const absolute = (file: string, from: string): string => path.resolve(from, file.replace(/^~(?=\/|$)/, io.env['HOME'] ?? '~'));
  const config =
    option !== undefined ? absolute(option, io.cwd) : context?.config === undefined ? undefined : absolute(context.config, suiteDir);
  const knownHosts = context?.known_hosts === undefined ? undefined : absolute(context.known_hosts, suiteDir);
  if (config === undefined && knownHosts === undefined) return undefined;
  return { ...(config !== undefined && { config }), ...(knownHosts !== undefined && { knownHosts }) };
}
