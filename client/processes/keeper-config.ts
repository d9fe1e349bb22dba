import { parseArgs } from 'node:util';
import path from 'node:path';
import { homePaths } from '../../activities/store/home-paths.ts';
import type { KeeperFiles } from './keeper-state.ts';
import { keeperFiles } from './keeper-state.ts';
import type { WorkerQueues } from '../../worker/worker-config.ts';

/** What a keeper is told on its command line. */
export type KeeperConfig = {
  readonly home: string;
} & (
  | {
      /** Server and worker of this home. */
      readonly kind: 'embedded';
      /** The `temporal` program. */
      readonly binary: string;
    }
  | {
      /** Only a worker, for a cluster of the user. */
      readonly kind: 'cluster';
      /** Name of its folder below `workersDir`. */
      readonly id: string;
      readonly address: string;
      readonly namespace: string;
      readonly profile?: string;
    }
);

/** Folder, lock, state and logs of a keeper. */
export function filesOf(config: KeeperConfig): KeeperFiles {
  const paths = homePaths(config.home);
  if (config.kind === 'embedded') return keeperFiles(paths.keeperDir, paths.logsDir);
  const dir = path.join(paths.workersDir, config.id);
  return keeperFiles(dir, dir);
}

/** Queue names: one host serves itself, hosts on a cluster share the work. */
export function queuesFor(kind: KeeperConfig['kind'], hostId: string): WorkerQueues {
  const host = `onetear-host-${hostId}`;
  return kind === 'embedded' ? { main: host, host, control: `onetear-ctl-${hostId}` } : { main: 'onetear', host, control: 'onetear-ctl' };
}

/** The inverse of {@link parseKeeperArguments}. */
export function keeperArguments(config: KeeperConfig): string[] {
  const args = ['--home', config.home];
  if (config.kind === 'embedded') return [...args, '--binary', config.binary];
  args.push('--worker-only', config.id, '--address', config.address, '--namespace', config.namespace);
  return config.profile === undefined ? args : [...args, '--profile', config.profile];
}

/** Throws on unknown or missing options. */
export function parseKeeperArguments(args: readonly string[]): KeeperConfig {
  const { values } = parseArgs({
    args: [...args],
    options: {
      home: { type: 'string' },
      binary: { type: 'string' },
      'worker-only': { type: 'string' },
      address: { type: 'string' },
      namespace: { type: 'string' },
      profile: { type: 'string' },
    },
  });
  const { home, binary, address, namespace, profile } = values;
  const id = values['worker-only'];
  if (!home) throw new Error('a keeper needs --home');
  if (binary) return { home, kind: 'embedded', binary };
  if (!id || !address || !namespace) throw new Error('a keeper needs --binary, or --worker-only with --address and --namespace');
  return { home, kind: 'cluster', id, address, namespace, ...(profile === undefined ? {} : { profile }) };
}
