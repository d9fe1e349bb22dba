import { isNodeError, NodeError } from '../node-error.ts';
import type { Node } from '../../../dsl/model/node.ts';
import type { ClientChannel } from 'ssh2';
import { NO_SESSION, openSshConnection, type SshConnection } from './ssh-connection.ts';
import { resolveRoute, type SshHop, type SshRoute } from './ssh-config.ts';

/** The ssh connections of this worker: one per machine and user, a further one only when its channels are used up. */
export interface SshConnections {
  /** Starts `/bin/sh` for the user that logs in. Rejects with a NodeError. */
  shell(node: Node, note: (waitsFor: string) => void): Promise<SshShell>;
  close(): void;
}

export interface SshShell {
  readonly channel: ClientChannel;
  readonly connection: SshConnection;
}

/** Connections to one machine as one user. */
interface Group {
  readonly connections: SshConnection[];
  opening: Promise<SshConnection> | undefined;
}

export function createSshConnections(): SshConnections {
  const groups = new Map<string, Group>();

  /** A connection with a channel to spare. `jump`: for passing through, which costs no session. */
  const connectionTo = async (route: SshRoute, jump: boolean, note: (waitsFor: string) => void): Promise<SshConnection> => {
    const key = JSON.stringify(
      route.map(({ host, port, user, hostKeyAlias, knownHosts, identityFiles, agent }) => [
        host,
        port,
        user,
        hostKeyAlias,
        knownHosts,
        identityFiles,
        agent,
      ]),
    );
    let group = groups.get(key);
    if (group === undefined) {
      group = { connections: [], opening: undefined };
      groups.set(key, group);
    }
    for (;;) {
      const { connections } = group;
      for (let at = connections.length - 1; at >= 0; at--) if (connections[at]?.open === false) connections.splice(at, 1);
      const free = connections.find((connection) => jump || connection.sessionsLeft > 0);
      if (free !== undefined) return free;
      if (group.opening !== undefined) {
        await group.opening;
        continue;
      }
      const last = route.at(-1) as SshHop;
      const opening = (async () =>
        openSshConnection(last, route.length > 1 ? await connectionTo(route.slice(0, -1), true, note) : undefined, note))();
      group.opening = opening;
      try {
        connections.push(await opening);
      } finally {
        group.opening = undefined;
      }
    }
  };

  return {
    async shell(node, note) {
      const route = await resolveRoute(node);
      for (let turn = 0; ; turn++) {
        const connection = await connectionTo(route, false, note);
        try {
          // Whatever the login shell is: sh, csh and fish all know exec.
          return { connection, channel: await connection.exec('exec /bin/sh') };
        } catch (error) {
          const full = isNodeError(error, 'NODE_STREAM_LOST') && error.message.endsWith(NO_SESSION);
          if (!full) throw error;
          if (connection.sessionLimit === 0) {
            connection.distrust();
            throw new NodeError(
              'NODE_STREAM_LOST',
              `${error.message.slice(0, -NO_SESSION.length)}the server gives us no session (MaxSessions)`,
            );
          }
          if (turn >= 4) throw error;
        }
      }
    },
    close() {
      for (const group of groups.values()) {
        group.opening?.then(
          (connection) => connection.close(),
          () => undefined,
        );
        for (const connection of group.connections) connection.close();
      }
      groups.clear();
    },
  };
}
