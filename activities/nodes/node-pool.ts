import { userInfo } from 'node:os';

import type { Node } from '../../dsl/model/node.ts';
import type { ActivityDeps } from '../deps.ts';
import { NodeError } from './node-error.ts';
import { greetNode, localEnvironment, type NodeSession, type NodeSessionOptions } from './node-session.ts';
import { containerRefusal, dockerArgv, kubectlArgv } from './container/container-argv.ts';
import { REMOTE_SETUP } from './remote-setup.ts';
import { createSessionSlot, type SessionSlot } from './session-slot.ts';
import type { OpenTransport } from './shell-transport.ts';
import { createSshConnections, type SshConnections } from './ssh/ssh-connections.ts';
import { becomeUser, sshTransport } from './ssh/ssh-transport.ts';

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
  const slots = new Map<string, SessionSlot>();
  const connections = createSshConnections();
  return {
    session(node, identity, withinMs) {
      const key = JSON.stringify([...placeOf(node), identity.user ?? '', identity.sudo]);
      let slot = slots.get(key);
      if (slot === undefined) {
        slot = createSessionSlot(async (note) => greetNode(await sessionOptions(deps, connections, node, identity, note)));
        slots.set(key, slot);
      }
      return slot.session(withinMs);
    },
    close() {
      for (const slot of slots.values()) slot.close();
      slots.clear();
      connections.close();
    },
  };
}

/** What makes two nodes the same machine, reached in the same way. */
function placeOf(node: Node): readonly unknown[] {
  if (node.connection === 'local') return ['local'];
  const { kubectl_container, kubectl_namespace, kubectl_context } = node.vars;
  return [
    node.connection,
    node.host,
    node.port,
    node.user,
    node.ssh?.config,
    node.ssh?.knownHosts,
    kubectl_container,
    kubectl_namespace,
    kubectl_context,
  ];
}

/** How to open a shell. Made anew for each attempt: a config or a key may have been corrected since. */
async function sessionOptions(
  deps: ActivityDeps,
  connections: SshConnections,
  node: Node,
  identity: Identity,
  note: (waitsFor: string) => void,
): Promise<NodeSessionOptions> {
  switch (node.connection) {
    case 'local':
      return localOptions(deps, identity);
    case 'ssh':
      return remoteOptions(deps, {
        argv: [],
        connect: () => sshShell(deps, connections, node, identity, note),
        refusal: (exitCode, said) => noShell(node, exitCode, said),
      });
    case 'docker':
      return remoteOptions(deps, { argv: dockerArgv(node, identity), refusal: containerRefusal });
    case 'kubectl':
      return remoteOptions(deps, { argv: kubectlArgv(node, identity), refusal: containerRefusal });
    default:
      return node.connection satisfies never;
  }
}

function remoteOptions(deps: ActivityDeps, more: Pick<NodeSessionOptions, 'argv' | 'connect' | 'refusal'>): NodeSessionOptions {
  return {
    shell: ['/bin/sh'],
    // Of the program on this machine only: docker, kubectl and what they call need all of it. Nothing of it reaches the container.
    env: environmentOfOurs(),
    jobRoot: deps.nodes?.jobRoot ?? '/var/tmp',
    direct: false,
    connectWithinMs: 0,
    setup: REMOTE_SETUP,
    ...more,
  };
}

function environmentOfOurs(): { readonly [name: string]: string } {
  const env: { [name: string]: string } = {};
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined) env[name] = value;
  return env;
}

async function sshShell(
  deps: ActivityDeps,
  connections: SshConnections,
  node: Node,
  identity: Identity,
  note: (waitsFor: string) => void,
): Promise<OpenTransport> {
  const shell = await connections.shell(node, note);
  note(`the shell of ${node.name} does not answer`);
  const login = shell.connection.hop.user;
  const user = identity.user ?? (identity.sudo ? 'root' : login);
  if (user !== login) {
    const password = async (): Promise<string | undefined> => deps.nodes?.sudoPassword?.(node, login);
    await becomeUser(shell.channel, shell.connection, { user, password });
  }
  return sshTransport(shell);
}

/** A shell that ends by itself before it has answered is none; what it said is often the reason (nologin, a forced command). */
function noShell(node: Node, exitCode: number, said: string): string | undefined {
  // 255 is what a shell gets that is killed with its connection, for example by a shutdown.
  if (exitCode === 255) return undefined;
  return `no shell on ${node.name}: the login worked, but /bin/sh ended with exit ${exitCode}${said === '' ? '' : ` (${said})`}; the account needs a shell that can run programs`;
}

function localOptions(deps: ActivityDeps, identity: Identity): NodeSessionOptions {
  const shell = deps.nodes?.shell ?? ['/bin/sh'];
  const jobRoot = deps.nodes?.jobRoot ?? '/var/tmp';
  const me = userInfo();
  const user = identity.user ?? (identity.sudo ? 'root' : me.username);
  if (user === me.username) {
    return { argv: shell, shell, env: localEnvironment(), jobRoot, direct: true, connectWithinMs: 0 };
  }
  if (!/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(user)) throw new NodeError('NODE_REFUSED', `not a user name: ${JSON.stringify(user)}`);
  return {
    argv: me.uid === 0 ? becomeAsRoot(user, shell) : ['sudo', '-n', '-H', '-u', user, '--', ...shell],
    shell,
    env: localEnvironment({ name: user }),
    jobRoot,
    direct: false,
    connectWithinMs: 0,
    // Our own script's code, and the words of sudo in the C locale.
    refusal: (exitCode, said) =>
      exitCode === NO_USER || /unknown user/i.test(said) ? `the user ${JSON.stringify(user)} does not exist on this machine` : undefined,
  };
}

const NO_USER = 113;

/**
 * Root becomes another user without sudo, which may not be installed: `setpriv` of util-linux execs in place, without a PAM session and without
 * a process that stays between; `su` is the fallback (busybox). HOME is the user's own, as `sudo -H` would make it.
 */
function becomeAsRoot(user: string, shell: readonly string[]): readonly string[] {
  const script = [
    'u=$1; shift',
    `g=$(id -g -- "$u" 2>/dev/null) || exit ${NO_USER}`,
    'eval "HOME=~$u"; export HOME',
    'if command -v setpriv >/dev/null 2>&1; then exec setpriv --reuid="$u" --regid="$g" --init-groups -- "$@"; fi',
    'exec su -s /bin/sh "$u" -c "exec $*"',
  ].join('\n');
  return ['/bin/sh', '-c', script, 'sh', user, ...shell];
}
