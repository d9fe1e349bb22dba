import { readFile } from 'node:fs/promises';

import ssh2 from 'ssh2';
import type { AnyAuthMethod, BaseAgent, ParsedKey, SignCallback, SigningRequestOptions } from 'ssh2';

import type { SshHop } from './ssh-config.ts';

// The loader sees only some names of this CommonJS module; the whole of it is the default.
const { createAgent, utils } = ssh2;
type Agent = BaseAgent<string | Buffer | ParsedKey>;

/** What can be offered to a server, in order, and in words for the message when it wants none of it. */
export interface Credentials {
  readonly methods: readonly AnyAuthMethod[];
  readonly offered: readonly string[];
  /** Why something that the config names is not offered. */
  readonly unusable: readonly string[];
}

const AGENT_TIMEOUT_MS = 5_000;

/**
 * Keys for a login, in the order of OpenSSH: those of the agent that the config names, the agent's others, then the files.
 * A key with a passphrase is used through the agent, or with the passphrase in ONETEAR_SSH_PASSPHRASE of the worker's environment.
 */
export async function credentialsFor(hop: SshHop): Promise<Credentials> {
  const files = await Promise.all(hop.identityFiles.map(readIdentity));
  const unusable: string[] = [];
  const methods: AnyAuthMethod[] = [];
  const offered: string[] = [];
  const named = files.flatMap((file) => (file?.publicKey ? [file.publicKey] : []));
  const isNamed = (key: ParsedKey): boolean => named.some((each) => each.equals(key.getPublicSSH()));

  let agentKeys: readonly ParsedKey[] = [];
  if (hop.agent !== undefined) {
    try {
      const agent = createAgent(hop.agent);
      const keys = await agentIdentities(agent);
      agentKeys = [...keys.filter(isNamed), ...(hop.identitiesOnly ? [] : keys.filter((key) => !isNamed(key)))];
      if (agentKeys.length > 0) {
        methods.push({ type: 'agent', username: hop.user, agent: restrictAgent(agent, agentKeys) });
        offered.push(`${agentKeys.length} key${agentKeys.length === 1 ? '' : 's'} of the agent`);
      } else unusable.push(`the agent ${hop.agent} has no key for it`);
    } catch (error) {
      unusable.push(`the agent ${hop.agent} does not answer (${(error as Error).message})`);
    }
  } else unusable.push('there is no agent (SSH_AUTH_SOCK is not set)');

  for (const file of files) {
    if (file === undefined) continue;
    const { publicKey } = file;
    if (publicKey !== undefined && agentKeys.some((key) => key.getPublicSSH().equals(publicKey))) continue;
    if (file.problem !== undefined) unusable.push(file.problem);
    else if (file.key !== undefined) {
      methods.push({ type: 'publickey', username: hop.user, key: file.key });
      offered.push(file.path);
    }
  }
  if (hop.certificates.length > 0) unusable.push(`certificates (${hop.certificates.join(', ')}) are not supported by the built-in ssh`);
  return { methods, offered, unusable };
}

interface Identity {
  readonly path: string;
  readonly key?: ParsedKey;
  readonly publicKey?: Buffer;
  readonly problem?: string;
}

/** A private key file, or what is wrong with it; `undefined` when it is not there, which is usual for the default names. */
async function readIdentity(path: string): Promise<Identity | undefined> {
  const publicKey = await readPublicKey(path);
  let text: Buffer;
  try {
    text = await readFile(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // The public half alone is enough to pick a key of the agent.
    if (code === 'ENOENT') return publicKey === undefined ? undefined : { path, publicKey };
    return { path, problem: `${path} cannot be read (${message})` };
  }
  const known = publicKey === undefined ? {} : { publicKey };
  let parsed = utils.parseKey(text);
  if (parsed instanceof Error && /passphrase|encrypted/i.test(parsed.message)) {
    const passphrase = process.env['ONETEAR_SSH_PASSPHRASE'];
    if (passphrase === undefined || passphrase === '') {
      return {
        path,
        ...known,
        problem: `${path} has a passphrase: add it to the agent (ssh-add), or set ONETEAR_SSH_PASSPHRASE for the worker`,
      };
    }
    parsed = utils.parseKey(text, passphrase);
    if (parsed instanceof Error) return { path, ...known, problem: `ONETEAR_SSH_PASSPHRASE does not open ${path}` };
  }
  // Several keys in one file never come from ssh-keygen.
  const key = Array.isArray(parsed) ? (parsed[0] as ParsedKey | undefined) : parsed;
  if (key === undefined || key instanceof Error)
    return { path, ...known, problem: `${path} is not a key that can be used (${key?.message ?? 'empty'})` };
  if (!key.isPrivateKey()) return { path, publicKey: key.getPublicSSH(), problem: `${path} is a public key` };
  return { path, key, publicKey: key.getPublicSSH() };
}

async function readPublicKey(path: string): Promise<Buffer | undefined> {
  try {
    const parsed = utils.parseKey(await readFile(path.endsWith('.pub') ? path : `${path}.pub`));
    const key = Array.isArray(parsed) ? (parsed[0] as ParsedKey | undefined) : parsed;
    return key === undefined || key instanceof Error ? undefined : key.getPublicSSH();
  } catch (error) {
    // Only a help to pick a key of the agent; often there is none.
    void error;
    return undefined;
  }
}

function agentIdentities(agent: Agent): Promise<readonly ParsedKey[]> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer in ${AGENT_TIMEOUT_MS} ms`)), AGENT_TIMEOUT_MS);
    agent.getIdentities((error, keys) => {
      clearTimeout(timer);
      if (error) reject(error);
      // An agent of OpenSSH gives keys that are parsed; the types allow for others.
      else resolve((keys ?? []) as readonly ParsedKey[]);
    });
  });
}

/** An agent that shows only these keys, in this order: servers count every key that is offered. */
function restrictAgent(agent: Agent, keys: readonly ParsedKey[]): Agent {
  class RestrictedAgent extends ssh2.BaseAgent<ParsedKey> {
    override getIdentities(callback: (error?: Error | null, keys?: ParsedKey[]) => void): void {
      callback(null, [...keys]);
    }
    override sign(key: ParsedKey, data: Buffer, options: SigningRequestOptions | SignCallback, callback?: SignCallback): void {
      if (typeof options === 'function') agent.sign(key, data, options);
      else agent.sign(key, data, options, callback);
    }
  }
  return new RestrictedAgent();
}
