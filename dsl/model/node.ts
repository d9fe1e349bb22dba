import type { ValueMap } from './value.ts';

/** How the engine gets a `/bin/sh` on the node. */
export type ConnectionKind = 'local' | 'ssh' | 'docker' | 'kubectl';

/** A node of the suite, complete: what `context.nodes` or the inventory gave, with defaults filled in. */
export interface Node {
  readonly name: string;
  readonly connection: ConnectionKind;
  /** Address for ssh; container or pod for docker and kubectl; `localhost` for local. */
  readonly host: string;
  readonly port?: number;
  readonly user?: string;
  readonly labels: { readonly [key: string]: string };
  readonly vars: ValueMap;
  /** How long a step waits for the node to be reachable before it is broken; default 30,000. */
  readonly connectWithinMs: number;
  /** Files of ssh that the suite or `start --ssh-config` names, absolute, on the worker's machine; absent = the user's own. */
  readonly ssh?: { readonly config?: string; readonly knownHosts?: string };
}

/** How many of the selected nodes are taken. */
export type Pick = 'all' | 'one' | 'first' | 'random' | 'minority' | 'majority' | number;
