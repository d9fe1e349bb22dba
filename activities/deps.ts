import type { Node } from '../dsl/model/node.ts';
import type { SecretSource } from './secrets/run-secrets.ts';

/** What every activity of this worker needs to know about its host. Passed once to the factories (`createRunCommand(deps)`, …). */
export interface ActivityDeps {
  /** `$ONETEAR_HOME`, absolute. */
  readonly homeDir: string;
  /** Root of the content-addressed store, absolute; `$ONETEAR_STORE` or a folder of the home. */
  readonly storeDir: string;
  /** Stable id of this host (see the host id file of the home). */
  readonly hostId: string;
  readonly log: ActivityLog;
  /** Where this worker gets secrets that the starter of a run did not leave on this host; absent = nowhere. */
  readonly secrets?: SecretSource;
  /** Which server this worker works for; absent = leftovers of secrets are not looked after. */
  readonly server?: { readonly queue: string; readonly address: string; readonly namespace: string };
  /** Overrides of how this host runs node shells; only tests and unusual hosts set them. */
  readonly nodes?: NodeSettings;
}

/** Structured log of the worker; nothing is written to stdout directly. */
export interface ActivityLog {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export interface LogFields {
  readonly [field: string]: unknown;
}

export interface NodeSettings {
  /** Program and arguments of the node shell; default `['/bin/sh']`. */
  readonly shell?: readonly string[];
  /** Folder in which `onetear-<uid>` is made; default `/var/tmp`, then the home directory. */
  readonly jobRoot?: string;
  /** Password that `sudo` on a node wants from the user that logged in there; `undefined` = none is known. Asked only when sudo asks. */
  readonly sudoPassword?: (node: Node, user: string) => Promise<string | undefined>;
}
