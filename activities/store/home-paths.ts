import { homedir } from 'node:os';
import path from 'node:path';

/** Where everything of one `$ONETEAR_HOME` lives. Absolute paths; nothing is created here. */
export interface HomePaths {
  readonly home: string;
  /** Stable id of this host in task queue names: eight hex digits. */
  readonly hostIdFile: string;
  /** Database of the embedded server and the ports it uses. */
  readonly serverDir: string;
  /** Lock and state of the keeper. */
  readonly keeperDir: string;
  /** One folder per cluster address for which a detached worker was started here. */
  readonly workersDir: string;
  /** One folder per run: records, histories. */
  readonly runsDir: string;
  /** Content-addressed full outputs. */
  readonly storeDir: string;
  /** A `temporal` binary put here by hand is preferred to any download. */
  readonly binDir: string;
  /** Values of secrets of live runs, 0600. */
  readonly secretsDir: string;
  /** Logs of keeper, server and worker. */
  readonly logsDir: string;
}

/** The layout of a home folder. */
export function homePaths(home: string): HomePaths {
  const root = path.resolve(home);
  const at = (name: string): string => path.join(root, name);
  return {
    home: root,
    hostIdFile: at('host-id'),
    serverDir: at('server'),
    keeperDir: at('keeper'),
    workersDir: at('workers'),
    runsDir: at('runs'),
    storeDir: at('store'),
    binDir: at('bin'),
    secretsDir: at('secrets'),
    logsDir: at('logs'),
  };
}

/** `$ONETEAR_HOME`, else `$XDG_STATE_HOME/onetear`, else `~/.local/state/onetear`; empty values count as unset, as XDG says. */
export function resolveHome(env: { readonly [name: string]: string | undefined }): string {
  if (env['ONETEAR_HOME']) return path.resolve(env['ONETEAR_HOME']);
  // A relative XDG path is invalid by its specification and must be ignored.
  const state = env['XDG_STATE_HOME'];
  if (state && path.isAbsolute(state)) return path.join(state, 'onetear');
  return path.join(env['HOME'] || homedir(), '.local', 'state', 'onetear');
}
