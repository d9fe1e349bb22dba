import { userInfo } from 'node:os';

import type { Node } from '../../dsl/model/node.ts';
import type { ActivityDeps } from '../deps.ts';
import { NodeError } from './node-error.ts';
import { localEnvironment, openNodeSession, type NodeSession } from './node-session.ts';

/** Whom a command runs as: parts of RenderedCommand. */
export interface Identity {
  readonly user?: string;
  readonly sudo: boolean;
}

/** The open shells of this worker: one per machine and user, opened on demand, opened again when it died. */
export interface NodePool {
  /** Waits up to `withinMs` for a working shell. Rejects with a NodeError. */
  session(node: Node, identity: Identity, withinMs: number): Promise<NodeSession>;
  /** Closes all shells. Jobs go on. */
  close(): void;
}

const pools = new WeakMap<ActivityDeps, NodePool>();

/** The pool that all activities made from the same deps share. */
export function nodePool(deps: ActivityDeps): NodePool {
  let pool = pools.get(deps);
  if (pool === undefined) {
    pool = createNodePool(deps);
    pools.set(deps, pool);
  }
  return pool;
}

function createNodePool(deps: ActivityDeps): NodePool {
  const sessions = new Map<string, Promise<NodeSession>>();
  return {
    async session(node, identity, withinMs) {
      if (node.connection !== 'local') {
        throw new NodeError('NODE_NOT_SUPPORTED', `not supported yet: connection ${node.connection} (node ${node.name})`);
      }
      const key = `local ${identity.user ?? ''} ${String(identity.sudo)}`;
      const known = sessions.get(key);
      if (known !== undefined) {
        const session = await known.catch(() => undefined);
        if (session?.stream.open === true) return session;
        // Whoever comes first opens it anew; the others find the new promise.
        if (sessions.get(key) === known) sessions.delete(key);
        return this.session(node, identity, withinMs);
      }
      const opening = openLocal(deps, identity, withinMs);
      sessions.set(key, opening);
      opening.catch(() => {
        if (sessions.get(key) === opening) sessions.delete(key);
      });
      return opening;
    },
    close() {
      for (const opening of sessions.values()) {
        opening.then(
          (session) => session.close(),
          () => undefined,
        );
      }
      sessions.clear();
    },
  };
}

function openLocal(deps: ActivityDeps, identity: Identity, withinMs: number): Promise<NodeSession> {
  const shell = deps.nodes?.shell ?? ['/bin/sh'];
  const jobRoot = deps.nodes?.jobRoot ?? '/var/tmp';
  const me = userInfo();
  const user = identity.user ?? (identity.sudo ? 'root' : me.username);
  if (user === me.username) {
    return openNodeSession({ argv: shell, shell, env: localEnvironment(), jobRoot, direct: true, connectWithinMs: withinMs });
  }
  if (!/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(user)) throw new NodeError('NODE_REFUSED', `not a user name: ${JSON.stringify(user)}`);
  return openNodeSession({
    argv: me.uid === 0 ? becomeAsRoot(user, shell) : ['sudo', '-n', '-H', '-u', user, '--', ...shell],
    shell,
    env: localEnvironment({ name: user }),
    jobRoot,
    direct: false,
    connectWithinMs: withinMs,
  });
}

/**
 * Root becomes another user without sudo, which may not be installed: `setpriv` of util-linux execs in place, without a PAM session and without
 * a process that stays between; `su` is the fallback (busybox). HOME is the user's own, as `sudo -H` would make it.
 */
function becomeAsRoot(user: string, shell: readonly string[]): readonly string[] {
  const script = [
    'u=$1; shift',
    'g=$(id -g -- "$u") || exit 1',
    'eval "HOME=~$u"; export HOME',
    'if command -v setpriv >/dev/null 2>&1; then exec setpriv --reuid="$u" --regid="$g" --init-groups -- "$@"; fi',
    'exec su -s /bin/sh "$u" -c "exec $*"',
  ].join('\n');
  return ['/bin/sh', '-c', script, 'sh', user, ...shell];
}
