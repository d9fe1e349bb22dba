import { homePaths, resolveHome, type HomePaths } from '../activities/store/home-paths.ts';
import type { CliIo } from './cli/io.ts';

/** The folders of `$ONETEAR_HOME`. */
export function homeOf(io: Pick<CliIo, 'env'>): HomePaths {
  return homePaths(resolveHome(io.env));
}
