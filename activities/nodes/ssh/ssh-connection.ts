import { connect as connectSocket, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import ssh2 from 'ssh2';
import type { AuthenticationType, Client, ClientChannel } from 'ssh2';

import { NodeError } from '../node-error.ts';
import { judgeKey, lookUpHost, lookupName, readKnownHosts, type KnownHost } from './known-hosts.ts';
import { createSemaphore, type Semaphore } from './semaphore.ts';
import { credentialsFor, type Credentials } from './ssh-auth.ts';
import type { SshHop } from './ssh-config.ts';
import { handshakeProblem, hostKeyProblem, keyTrouble, lasting, passing, tcpProblem } from './ssh-problem.ts';

/** One authenticated connection to one machine as one user. */
export interface SshConnection {
  readonly hop: SshHop;
  /** Usable for a new channel. */
  readonly open: boolean;
  /** Room for another session: at most four, fewer when the server has refused one. 0 = it gives us none at all. */
  readonly sessionsLeft: number;
  /** Most sessions on this connection. */
  readonly sessionLimit: number;
  /** Starts a program, without terminal. Rejects with a NodeError; with `NO_SESSION` as its message when the server has no session left. */
  exec(command: string): Promise<ClientChannel>;
  /** A stream to another machine, through this one. Not limited by the server's MaxSessions. */
  forward(to: SshHop): Promise<Duplex>;
  /** Why the connection broke, if it did. */
  readonly broke: string | undefined;
  /** No new channels; closes with its last one. */
  distrust(): void;
  close(): void;
}

export const NO_SESSION = 'no session left';

const TCP_TIMEOUT_MS = 10_000;
const HANDSHAKE_TIMEOUT_MS = 15_000;
const CHANNEL_TIMEOUT_MS = 10_000;
const KEEPALIVE_MS = 5_000;
/** Unanswered keepalives after which a connection is dead. */
const KEEPALIVE_MISSES = 2;
/** Servers free sessions late: more than four in flight make some fail although ten are allowed. */
const MAX_SESSIONS = 4;
/** How long a connection without channels is kept for the next one. */
const LINGER_MS = 10_000;
/** Handshakes at a time: OpenSSH's MaxStartups turns away some from the eleventh on. */
const MAX_HANDSHAKES = 8;

const TIMED_OUT = Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' });
const HANDSHAKE_TIMED_OUT = Object.assign(new Error('timed out'), { level: 'client-timeout' });

const allHandshakes = createSemaphore(MAX_HANDSHAKES);
const handshakesByTarget = new Map<string, Semaphore>();

/** Best first; nothing with SHA-1. */
const HOST_KEY_ALGORITHMS = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
] as const;

/**
 * Connects and logs in, once. `via`: the connection to the machine before it on the way. `note` is told what is waited for.
 * Rejects with NODE_STREAM_LOST when another attempt may succeed, with NODE_REFUSED when none will (keys, login, config).
 */
export async function openSshConnection(
  hop: SshHop,
  via: SshConnection | undefined,
  note: (waitsFor: string) => void,
): Promise<SshConnection> {
  const host = lookUpKnown(hop);
  const credentials = await credentialsFor(hop);
  const target = `${via === undefined ? '' : `${via.hop.host}:${via.hop.port} `}${hop.host}:${hop.port}`;
  const ofTarget = handshakesByTarget.get(target) ?? createSemaphore(MAX_HANDSHAKES);
  handshakesByTarget.set(target, ofTarget);
  // The limit in all starts after TCP: a machine that does not answer must not hold up the others.
  return ofTarget.run(async () => {
    note(tcpProblem(hop, TIMED_OUT).message);
    const socket = via === undefined ? await connectTcp(hop) : await via.forward(hop);
    note(handshakeProblem(hop, HANDSHAKE_TIMED_OUT).message);
    try {
      // Only now: that nothing listens is worth more than that we have no key for it.
      if (credentials.methods.length === 0) throw keyTrouble(hop, `no key to log in with: ${credentials.unusable.join('; ')}`);
      return await allHandshakes.run(() => logIn(hop, host, credentials, socket));
    } catch (error) {
      socket.destroy();
      throw error;
    }
  });
}

/** As OpenSSH: a host on another port that is not known with it counts as known when its key is known without. */
function lookUpKnown(hop: SshHop): KnownHost {
  const lines = readKnownHosts(hop.knownHosts);
  if (hop.hostKeyAlias !== undefined) return lookUpHost(lines, hop.hostKeyAlias);
  const host = lookUpHost(lines, lookupName(hop.host, hop.port));
  if (hop.port === 22 || host.keys.length > 0) return host;
  const plain = lookUpHost(lines, hop.host);
  return { ...host, revoked: [...host.revoked, ...plain.revoked], keys: plain.keys };
}

function connectTcp(hop: SshHop): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket({ host: hop.host, port: hop.port, noDelay: true });
    const timer = setTimeout(() => {
      socket.destroy();
      reject(tcpProblem(hop, TIMED_OUT));
    }, TCP_TIMEOUT_MS);
    const fail = (error: NodeJS.ErrnoException): void => {
      clearTimeout(timer);
      reject(tcpProblem(hop, error));
    };
    socket.once('error', fail);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

function logIn(hop: SshHop, host: KnownHost, credentials: Credentials, socket: Duplex): Promise<SshConnection> {
  const client: Client = new ssh2.Client();
  /** Types of the keys that we know first: a server that has several would else show one that looks changed. */
  const known = new Set(host.keys.map(({ keyType }) => keyType));
  const isKnown = (algorithm: string): boolean => known.has(algorithm.startsWith('rsa-') ? 'ssh-rsa' : algorithm);
  const serverHostKey = [...HOST_KEY_ALGORITHMS.filter(isKnown), ...HOST_KEY_ALGORITHMS.filter((algorithm) => !isKnown(algorithm))];

  return new Promise((resolve, reject) => {
    let keyProblem: NodeError | undefined;
    let accepted: readonly string[] | undefined;
    let banner = '';
    let settled = false;
    const agentTroubles: string[] = [];
    const fail = (problem: NodeError): void => {
      if (settled) return;
      settled = true;
      reject(problem);
      client.destroy();
    };
    client.on('error', (error: Error & { level?: string }) => {
      if (error.level === 'agent') {
        // Not the end: the next method is tried.
        agentTroubles.push(error.message);
      } else if (keyProblem !== undefined) fail(keyProblem);
      else if (error.level === 'client-authentication' || /authentication failures/i.test(error.message)) {
        fail(loginProblem(hop, credentials, [...agentTroubles, error.message], accepted, banner));
      } else fail(handshakeProblem(hop, error));
    });
    client.on('close', () => fail(keyProblem ?? passing(hop, 'the connection was closed during the handshake')));
    client.on('banner', (text) => (banner = text.trim().slice(0, 300)));
    client.on('ready', () => {
      settled = true;
      client.removeAllListeners('error');
      client.removeAllListeners('close');
      resolve(wrap(hop, client, socket));
    });
    const methods = [...credentials.methods];
    client.connect({
      sock: socket,
      username: hop.user,
      readyTimeout: HANDSHAKE_TIMEOUT_MS,
      keepaliveInterval: KEEPALIVE_MS,
      keepaliveCountMax: KEEPALIVE_MISSES,
      algorithms: { serverHostKey },
      // Synchronous on purpose: the library takes any promise for a yes.
      hostVerifier: (key: Buffer): boolean => {
        const judgement = judgeKey(host, key);
        if (judgement.kind === 'known') return true;
        keyProblem = hostKeyProblem(hop, judgement, key);
        return false;
      },
      authHandler: (left: AuthenticationType[] | null, _partial: boolean | null, next): void => {
        if (left !== null) accepted = left;
        const method = methods.shift();
        // The library takes `false` for "no more", which its types do not know.
        next((method ?? false) as NonNullable<typeof method>);
      },
    });
  });
}

function loginProblem(
  hop: SshHop,
  { offered, unusable }: Credentials,
  said: readonly string[],
  accepted: readonly string[] | undefined,
  banner: string,
): NodeError {
  const more = [
    `offered: ${offered.join(', ')}`,
    ...(accepted === undefined ? [] : [`the server accepts: ${accepted.join(', ')}`]),
    ...unusable,
    ...said.filter((text) => !text.startsWith('All configured')),
    ...(banner === '' ? [] : [`the server says: ${banner}`]),
  ];
  return keyTrouble(
    hop,
    `login failed for user ${JSON.stringify(hop.user)}: the server wants none of our keys (${more.join('; ')}). ` +
      `Is the public key in ~${hop.user}/.ssh/authorized_keys there, and is the account not locked?`,
  );
}

function wrap(hop: SshHop, client: Client, socket: Duplex): SshConnection {
  let open = true;
  let broke: string | undefined;
  /** Sessions and forwardings, open or being opened. */
  let channels = 0;
  let sessions = 0;
  let sessionLimit = MAX_SESSIONS;
  let linger: NodeJS.Timeout | undefined;
  const close = (): void => {
    open = false;
    clearTimeout(linger);
    client.end();
    // A peer that does not answer any more keeps the socket for minutes.
    setTimeout(() => client.destroy(), 1_000).unref();
  };
  const release = (): void => {
    channels--;
    if (channels > 0) return;
    if (open) linger = setTimeout(close, LINGER_MS).unref();
    else close();
  };
  client.on('error', (error) => {
    broke ??= error.message;
    open = false;
  });
  client.on('close', () => {
    broke ??= 'closed by the other side';
    open = false;
    clearTimeout(linger);
  });
  // A worker that has nothing else to do may exit.
  if ('unref' in socket && typeof socket.unref === 'function') socket.unref();

  /** Opens a channel within a time that nothing else limits. */
  const channel = <T extends Duplex>(what: string, ask: (answer: (error: Error | undefined, stream: T) => void) => void): Promise<T> => {
    clearTimeout(linger);
    channels++;
    return new Promise((resolve, reject) => {
      let waiting = true;
      const fail = (problem: NodeError): void => {
        if (!waiting) return;
        waiting = false;
        clearTimeout(timer);
        client.off('close', lost);
        release();
        reject(problem);
      };
      const lost = (): void => fail(passing(hop, `the connection broke (${broke ?? 'closed'})`));
      const timer = setTimeout(() => {
        open = false;
        fail(passing(hop, `connected, but no answer to "${what}" in ${CHANNEL_TIMEOUT_MS} ms`));
      }, CHANNEL_TIMEOUT_MS);
      client.once('close', lost);
      try {
        ask((error, stream) => {
          if (!waiting) {
            stream?.destroy();
            return;
          }
          if (error) return fail(channelProblem(hop, what, error));
          waiting = false;
          clearTimeout(timer);
          client.off('close', lost);
          stream.once('close', release);
          resolve(stream);
        });
      } catch (error) {
        fail(passing(hop, (error as Error).message));
      }
    });
  };

  return {
    hop,
    get open() {
      return open;
    },
    get sessionsLeft() {
      return sessionLimit - sessions;
    },
    get sessionLimit() {
      return sessionLimit;
    },
    get broke() {
      return broke;
    },
    async exec(command) {
      sessions++;
      try {
        const stream = await channel<ClientChannel>('exec', (answer) => client.exec(command, { pty: false }, answer));
        stream.once('close', () => sessions--);
        return stream;
      } catch (error) {
        sessions--;
        if (error instanceof NodeError && error.message.endsWith(NO_SESSION)) sessionLimit = Math.min(sessionLimit, sessions);
        throw error;
      }
    },
    forward: (to) =>
      channel<ClientChannel>(`forward to ${to.host}:${to.port}`, (answer) => client.forwardOut('127.0.0.1', 0, to.host, to.port, answer)),
    distrust() {
      open = false;
      if (channels === 0) close();
    },
    close,
  };
}

function channelProblem(hop: SshHop, what: string, error: Error & { readonly reason?: unknown }): NodeError {
  // RFC 4254, 5.1: 1 = prohibited, 2 = connect failed; OpenSSH says 2 also when MaxSessions is reached.
  if (what === 'exec') {
    if (/Unable to exec/.test(error.message)) return lasting(hop, 'the server runs no programs for this user (exec refused)');
    return passing(hop, NO_SESSION);
  }
  if (error.reason === 1 || error.reason === 'ADMINISTRATIVELY_PROHIBITED') {
    return lasting(hop, `as a jump host it does not allow to ${what} (AllowTcpForwarding, PermitOpen): ${error.message}`);
  }
  return passing(hop, `as a jump host it cannot ${what}: ${error.message}`);
}
