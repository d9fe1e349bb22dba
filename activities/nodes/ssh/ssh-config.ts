import { execFile } from 'node:child_process';
import { homedir, hostname as ownHostName, userInfo } from 'node:os';

import type { Node } from '../../../dsl/model/node.ts';
import { NodeError } from '../node-error.ts';

/** One machine on the way to a node, and how to log in there: the answer of `ssh -G`, as far as we use it. */
export interface SshHop {
  /** Name as the suite or a ProxyJump gives it. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Private keys that may be offered, in order; they need not exist. */
  readonly identityFiles: readonly string[];
  readonly identitiesOnly: boolean;
  /** Socket of the agent. */
  readonly agent?: string;
  /** Name to look the host key up under, instead of host and port. */
  readonly hostKeyAlias?: string;
  /** Files with known host keys, the user's before the machine's. */
  readonly knownHosts: readonly string[];
  /** Certificates that the config names; they cannot be used, which an error says. */
  readonly certificates: readonly string[];
}

/** Machines to pass through, the node itself last. */
export type SshRoute = readonly SshHop[];

/** Hops that send us through further hops, at most. */
const MAX_JUMPS = 8;
const CONFIG_TIMEOUT_MS = 10_000;

/**
 * The way to a node by the user's ssh config (or the suite's), read through `ssh -G`, so that `Match`, `Include` and tokens mean what they always mean.
 * Throws NODE_REFUSED when the config cannot be read or asks for something that we cannot do.
 */
export async function resolveRoute(node: Node): Promise<SshRoute> {
  return route({ name: node.host, port: node.port, user: node.user }, node, 0);
}

interface Target {
  readonly name: string;
  readonly port?: number | undefined;
  readonly user?: string | undefined;
}

async function route(target: Target, node: Node, depth: number): Promise<SshRoute> {
  if (depth > MAX_JUMPS) throw new NodeError('NODE_REFUSED', `ProxyJump leads through more than ${MAX_JUMPS} machines (a circle?)`);
  const config = await effectiveConfig(target, node);
  const hop = hopOf(target, config, node);
  const [proxyCommand = 'none'] = config.get('proxycommand') ?? [];
  if (proxyCommand !== 'none') {
    throw new NodeError('NODE_REFUSED', `the ssh config gives ${target.name} a ProxyCommand, which onetear does not run; ProxyJump works`);
  }
  const [jump = 'none'] = config.get('proxyjump') ?? [];
  if (jump === 'none') return [hop];
  const jumps = jump.split(',').map(parseJump);
  const hops: SshHop[] = [];
  for (const [index, each] of jumps.entries()) {
    // As OpenSSH does: what a later hop's own config says about jumps is replaced by the hops before it.
    if (index === 0) hops.push(...(await route(each, node, depth + 1)));
    else hops.push(hopOf(each, await effectiveConfig(each, node), node));
  }
  return [...hops, hop];
}

/** `[user@]host[:port]`, `[user@][v6]:port` or `ssh://…`. */
export function parseJump(text: string): Target {
  const rest = text.trim().replace(/^ssh:\/\//, '');
  const at = rest.lastIndexOf('@');
  const user = at === -1 ? undefined : rest.slice(0, at);
  const address = rest.slice(at + 1);
  const match = /^\[([^\]]+)\](?::(\d+))?$/.exec(address) ?? /^([^:]*)(?::(\d+))?$/.exec(address);
  const name = match?.[1] ?? address;
  return { name, ...(user !== undefined && { user }), ...(match?.[2] !== undefined && { port: Number(match[2]) }) };
}

type Config = ReadonlyMap<string, readonly string[]>;

async function effectiveConfig(target: Target, node: Node): Promise<Config> {
  for (const [what, text] of [
    ['host', target.name],
    ['user', target.user ?? 'x'],
  ] as const) {
    // They become arguments of ssh and of sudo, and parts of messages.
    if (text === '' || text.startsWith('-') || /[\s\p{Cc}]/u.test(text)) {
      throw new NodeError('NODE_REFUSED', `not a ${what} for ssh: ${JSON.stringify(text)}`);
    }
  }
  const args = ['-G'];
  if (node.ssh?.config !== undefined) args.push('-F', node.ssh.config);
  if (target.port !== undefined) args.push('-p', String(target.port));
  if (target.user !== undefined) args.push('-l', target.user);
  const answer = await new Promise<string | undefined>((resolve, reject) => {
    execFile('ssh', [...args, '--', target.name], { timeout: CONFIG_TIMEOUT_MS, maxBuffer: 1 << 20 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else if (error.code === 'ENOENT') resolve(undefined);
      else {
        const said = stderr.trim().split('\n').slice(-3).join('; ') || error.message;
        reject(new NodeError('NODE_REFUSED', `the ssh config cannot be read (ssh -G ${target.name}): ${said}`));
      }
    });
  });
  if (answer !== undefined) return parseConfig(answer);
  // Without OpenSSH there is nobody to read a config; a suite that names one means it.
  if (node.ssh?.config !== undefined) {
    throw new NodeError('NODE_REFUSED', `the program ssh is needed to read ${node.ssh.config}, and is not on the PATH of the worker`);
  }
  const keys = ['id_rsa', 'id_ecdsa', 'id_ed25519'].map((file) => `identityfile ~/.ssh/${file}`);
  return parseConfig(
    [
      `hostname ${target.name}`,
      `port ${target.port ?? 22}`,
      `user ${target.user ?? userInfo().username}`,
      ...keys,
      'userknownhostsfile ~/.ssh/known_hosts ~/.ssh/known_hosts2',
      'globalknownhostsfile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2',
    ].join('\n'),
  );
}

function parseConfig(text: string): Config {
  const config = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const space = line.indexOf(' ');
    if (space === -1) continue;
    const key = line.slice(0, space);
    config.set(key, [...(config.get(key) ?? []), line.slice(space + 1)]);
  }
  return config;
}

function hopOf(target: Target, config: Config, node: Node): SshHop {
  const one = (key: string): string | undefined => config.get(key)?.[0];
  const host = one('hostname') ?? target.name;
  const port = Number(one('port') ?? target.port ?? 22);
  const user = one('user') ?? target.user ?? userInfo().username;
  const tokens: { readonly [token: string]: string } = {
    '%': '%',
    d: homedir(),
    h: host,
    i: String(userInfo().uid),
    k: one('hostkeyalias') ?? host,
    l: ownHostName(),
    L: ownHostName().split('.')[0] ?? '',
    n: target.name,
    p: String(port),
    r: user,
    u: userInfo().username,
  };
  const path = (text: string): string =>
    text.replace(/^~(?=\/|$)/, homedir()).replace(/%(.)/g, (all, token: string) => tokens[token] ?? all);
  const paths = (key: string): readonly string[] => (config.get(key) ?? []).filter((text) => text !== 'none').map(path);
  // A list of files on one line; a name with blanks stands in quotes.
  const files = (key: string): readonly string[] =>
    (config.get(key) ?? []).flatMap((text) => text.match(/"[^"]*"|\S+/g) ?? []).map((word) => path(word.replaceAll('"', '')));
  const agent = agentSocket(one('identityagent'), path);
  const revoked = one('revokedhostkeys');
  if (revoked !== undefined && revoked !== 'none') {
    throw new NodeError(
      'NODE_REFUSED',
      `the ssh config names RevokedHostKeys ${revoked}, which onetear cannot read; @revoked lines in known_hosts work`,
    );
  }
  const hostKeyAlias = one('hostkeyalias');
  return {
    name: target.name,
    host,
    port,
    user,
    identityFiles: paths('identityfile'),
    identitiesOnly: one('identitiesonly') === 'yes',
    ...(agent !== undefined && { agent }),
    ...(hostKeyAlias !== undefined && { hostKeyAlias }),
    // A suite that brings its own file trusts that file alone.
    knownHosts:
      node.ssh?.knownHosts !== undefined
        ? [node.ssh.knownHosts]
        : [...files('userknownhostsfile'), ...files('globalknownhostsfile')].filter((file) => file !== 'none'),
    certificates: paths('certificatefile'),
  };
}

function agentSocket(written: string | undefined, path: (text: string) => string): string | undefined {
  if (written === 'none') return undefined;
  if (written === undefined || written === 'SSH_AUTH_SOCK') return process.env['SSH_AUTH_SOCK'] || undefined;
  if (written.startsWith('$')) return process.env[written.slice(1).replace(/^\{(.*)\}$/, '$1')] || undefined;
  return path(written);
}
