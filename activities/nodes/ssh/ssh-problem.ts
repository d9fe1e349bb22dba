import { createHash } from 'node:crypto';

import { NodeError } from '../node-error.ts';
import { type KeyJudgement, type KnownHostsLine, lookupName, wireType } from './known-hosts.ts';
import type { SshHop } from './ssh-config.ts';

/** How long a refusal of a key is remembered: every further try would count against us at the server (PerSourcePenalties, fail2ban). */
const HOLD_MS = 10_000;

/** Trouble that another attempt may not meet. */
export function passing(hop: SshHop, what: string): NodeError {
  return new NodeError('NODE_STREAM_LOST', `ssh ${place(hop)}: ${what}`);
}

/** Trouble that every further attempt will meet as well. */
export function lasting(hop: SshHop, what: string): NodeError {
  return new NodeError('NODE_REFUSED', `ssh ${place(hop)}: ${what}`);
}

/** A lasting trouble with keys: not tried again for a while even by others. */
export function keyTrouble(hop: SshHop, what: string): NodeError {
  return new NodeError('NODE_REFUSED', `ssh ${place(hop)}: ${what}`, HOLD_MS);
}

/** `root@10.0.0.7:22`, with the name of the suite when it is another. */
function place(hop: SshHop): string {
  const address = `${hop.user}@${hop.host.includes(':') ? `[${hop.host}]` : hop.host}:${hop.port}`;
  return hop.name === hop.host ? address : `${hop.name} (${address})`;
}

/** No TCP connection came about. */
export function tcpProblem(hop: SshHop, error: NodeJS.ErrnoException): NodeError {
  switch (error.code ?? '') {
    case 'ECONNREFUSED':
      return passing(
        hop,
        'connection refused: the machine answers, but nothing listens on that port; is sshd running there, is the port right?',
      );
    case 'ETIMEDOUT':
      return passing(
        hop,
        'timed out: no answer at all; the machine is down, or something on the way drops the packets (firewall, partition)',
      );
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EHOSTDOWN':
    case 'ENETDOWN':
      return passing(hop, `no route (${error.code}): the address is not in a network that this machine can reach, or nothing there has it`);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAI_NODATA':
      return passing(
        hop,
        `the name ${JSON.stringify(hop.host)} does not resolve (${error.code}): give the node a host in context.nodes, or a HostName in the ssh config`,
      );
    default:
      return passing(hop, error.message);
  }
}

/** The host's key is not the one we know. */
export function hostKeyProblem(hop: SshHop, judgement: Exclude<KeyJudgement, { kind: 'known' }>, key: Buffer): NodeError {
  const name = hop.hostKeyAlias ?? lookupName(hop.host, hop.port);
  const shown = `${wireType(key)} ${fingerprint(key)}`;
  switch (judgement.kind) {
    case 'revoked':
      return keyTrouble(hop, `revoked host key: ${shown} is marked @revoked at ${at(judgement.by)}; whoever shows it is not to be trusted`);
    case 'changed':
      return keyTrouble(
        hop,
        `changed host key: it shows ${shown}, but known are ${judgement.known.map((line) => `${line.keyType} ${fingerprint(line.key)} (${at(line)})`).join(', ')}. ` +
          'Somebody may be in the middle, or the machine was installed anew: compare the fingerprint on the machine itself ' +
          `(ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub), then remove the old line: ssh-keygen -R ${JSON.stringify(name)} -f ${judgement.known[0]?.file ?? ''}`,
      );
    case 'unknown': {
      const files = hop.knownHosts.length > 0 ? hop.knownHosts.join(', ') : 'no known_hosts file';
      const ca =
        judgement.authorities.length > 0
          ? ` The host is covered by @cert-authority (${at(judgement.authorities[0] as KnownHostsLine)}), but host certificates are not supported: its plain key must be known.`
          : '';
      return keyTrouble(
        hop,
        `unknown host key: ${shown} is in none of ${files}.${ca} Compare the fingerprint on the machine itself ` +
          `(ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub), then add this line: ${name} ${wireType(key)} ${key.toString('base64')}`,
      );
    }
    default:
      return judgement satisfies never;
  }
}

function at(line: KnownHostsLine): string {
  return `${line.file}:${line.line}`;
}

/** As `ssh-keygen -l` prints it. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** What ssh2 says between the TCP connection and the login. */
export function handshakeProblem(hop: SshHop, error: Error & { readonly level?: string }): NodeError {
  const text = error.message;
  if (/no matching/i.test(text)) {
    return lasting(hop, `no common algorithm: ${text}; SHA-1 and CBC are not used, so the server may be too old`);
  }
  if (error.level === 'client-timeout')
    return passing(hop, 'connected, but the ssh handshake timed out: the machine is overloaded or hangs');
  if (/before handshake|handshake/i.test(text) || error.level === 'client-socket' || error.level === 'protocol') {
    return passing(
      hop,
      `the connection was closed during the handshake (${text}): too many at a time for its MaxStartups, a penalty for earlier failures, or sshd is stopping`,
    );
  }
  return passing(hop, text);
}
