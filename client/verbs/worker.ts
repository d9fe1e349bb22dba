import { resolve } from 'node:path';
import { homePaths, resolveHome } from '../../activities/store/home-paths.ts';
import { readHostId } from '../../activities/store/host-id.ts';
import { connectionSettings } from '../../worker/connection-settings.ts';
import type { CliIo } from '../cli/io.ts';
import { queuesFor } from '../processes/keeper-config.ts';
import { processError } from '../processes/process-error.ts';
import { wantsCluster } from '../processes/connect.ts';

export interface WorkerOptions {
  readonly address?: string;
  readonly namespace?: string;
  readonly profile?: string;
  /** Main task queue; default `onetear`. */
  readonly queue?: string;
  /** `NAME=VALUE` lines: secrets of runs that were started on another host. */
  readonly secretsFile?: string;
  /** Prints the value of the name it is given. */
  readonly secretsProgram?: string;
}

/**
 * `onetear worker`: serves a cluster in the foreground until SIGTERM or Ctrl-C. Its log goes to stderr as JSON lines. The embedded server has
 * its own worker, so an address or a profile must be named. Exit 0 after a requested stop; throws when the worker breaks.
 */
export async function worker(options: WorkerOptions, io: CliIo): Promise<number> {
  if (!wantsCluster({ ...options, env: io.env })) {
    throw processError(
      'TEMPORAL_CONFIG',
      'onetear worker serves a cluster: name it with --address, --profile or TEMPORAL_ADDRESS. The embedded server has its own worker.',
    );
  }
  const home = resolveHome(io.env);
  const hostId = readHostId(homePaths(home).hostIdFile);
  const { address, namespace, profile } = options;
  const choice = {
    embedded: false,
    ...(address === undefined ? {} : { address }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(profile === undefined ? {} : { profile }),
  };
  const settings = connectionSettings(choice, { ...io.env });
  const queues = queuesFor('cluster', hostId);
  const main = options.queue ?? queues.main;
  io.err(`worker for ${settings.address}, namespace ${settings.namespace}, task queues ${main}, ${queues.host}, ${queues.control}\n`);
  // Webpack's leftovers and the native part load only here: no other verb pays for them.
  const { runWorker } = await import('../../worker/run-worker.ts');
  const secrets = {
    ...(options.secretsFile === undefined ? {} : { secretsFile: resolve(io.cwd, options.secretsFile) }),
    ...(options.secretsProgram === undefined ? {} : { secretsProgram: resolve(io.cwd, options.secretsProgram) }),
  };
  await runWorker({ home, ...choice, ...secrets, queues: { ...queues, main } }, () => io.err('worker polls\n'));
  return 0;
}
