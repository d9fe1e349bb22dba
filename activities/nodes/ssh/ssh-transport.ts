import { randomBytes } from 'node:crypto';

import type { ClientChannel } from 'ssh2';

import { NodeError } from '../node-error.ts';
import type { OpenTransport } from '../shell-transport.ts';
import { shellWord } from '../shell-word.ts';
import type { SshConnection } from './ssh-connection.ts';
import type { SshShell } from './ssh-connections.ts';

/** A shell that nobody has used for so long is given back; the next user opens another one. */
const IDLE_MS = 120_000;
const BECOME_TIMEOUT_MS = 15_000;

/** Attaches a stream to a shell behind an ssh channel. */
export function sshTransport({ channel, connection }: SshShell): OpenTransport {
  return ({ onOutput, onComplaint, onEnd }) => {
    let open = true;
    let exit: { readonly code: number | null; readonly signal: string | undefined } | undefined;
    const close = (): void => {
      open = false;
      clearTimeout(idle);
      channel.close();
    };
    const end = (why: string, exitCode?: number): void => {
      if (!open) return;
      close();
      onEnd({ why, ...(exitCode !== undefined && { exitCode }) });
    };
    const idle = setTimeout(() => end('not used for a while'), IDLE_MS);
    idle.unref();
    channel.setEncoding('latin1');
    channel.on('data', (text: string) => open && onOutput(text));
    channel.stderr.setEncoding('utf8');
    // Unread, it would fill the window and stop the shell.
    channel.stderr.on('data', (text: string) => open && onComplaint(text));
    channel.stderr.on('error', (error: Error) => end(`the ssh channel broke: ${error.message}`));
    channel.on('error', (error: Error) => end(`the ssh channel broke: ${error.message}`));
    channel.on('exit', (code: number | null, signal?: string) => {
      exit = { code, signal };
    });
    // A lost connection closes the channel without an exit; that says nothing about the shell.
    channel.on('close', () => {
      if (exit === undefined)
        end(`the ssh connection to ${connection.hop.name} was cut${connection.broke === undefined ? '' : ` (${connection.broke})`}`);
      else end(`the node's shell ended (${exit.signal ?? `exit ${String(exit.code)}`})`, exit.code ?? undefined);
    });
    // It may be over already, and then no event comes any more.
    if (channel.destroyed) setImmediate(end, `the ssh connection to ${connection.hop.name} was cut`);
    return {
      pid: undefined,
      write(text) {
        if (!open) return;
        idle.refresh();
        channel.write(text);
      },
      end(silent) {
        if (!open) return;
        close();
        // A request that gets no answer is most often a connection that is cut on the way: the next one must not wait for its keepalive.
        if (silent) connection.distrust();
      },
    };
  };
}

/** Whom the protocol runs as when that is not who logged in. */
export interface Become {
  readonly user: string;
  /** Asked once when sudo wants a password; `undefined` = there is none. */
  readonly password: () => Promise<string | undefined>;
}

/**
 * Turns the shell behind a channel into one of another user, by one line that replaces it. Nothing else is sent before the new shell has
 * said that it is there: what sudo does not take as a password the shell would take as a command.
 */
export async function becomeUser(channel: ClientChannel, connection: SshConnection, become: Become): Promise<void> {
  const { user } = become;
  if (!/^[A-Za-z_][A-Za-z0-9_.-]*\$?$/.test(user)) throw new NodeError('NODE_REFUSED', `not a user name: ${JSON.stringify(user)}`);
  const word = randomBytes(9).toString('hex');
  const inner = `/bin/sh -c ${shellWord(`echo ready-${word}; exec /bin/sh`)}`;
  let output = '';
  let complaint = '';
  let asked = 0;
  let code: number | undefined;
  let closed = false;
  let wake = (): void => undefined;
  const onOutput = (chunk: Buffer): void => {
    output = (output + chunk.toString('latin1')).slice(-4_000);
    wake();
  };
  const onComplaint = (chunk: Buffer): void => {
    complaint = (complaint + chunk.toString('utf8')).slice(-4_000);
    wake();
  };
  const onExit = (status: number | null): void => {
    code = status ?? undefined;
  };
  const onClose = (): void => {
    closed = true;
    wake();
  };
  channel.on('data', onOutput);
  channel.stderr.on('data', onComplaint);
  channel.on('exit', onExit);
  channel.on('close', onClose);
  const prompt = `ask-${word}:`;
  const refuse = (why: string): NodeError => {
    channel.close();
    return new NodeError('NODE_REFUSED', why);
  };
  const said = (): string =>
    `${complaint.replaceAll(prompt, '')}\n${output}`
      .trim()
      .replace(/\s*\n\s*/g, '; ')
      .slice(-400);
  try {
    // No echo is needed before it: an rc file's output cannot hold the random word.
    channel.write(`${connection.hop.user === 'root' ? asRoot(user, inner) : sudo(user, inner, prompt)}\n`);
    const deadline = Date.now() + BECOME_TIMEOUT_MS;
    while (!output.includes(`ready-${word}\n`)) {
      if (closed) {
        if (code === undefined) throw new NodeError('NODE_STREAM_LOST', `the ssh connection to ${connection.hop.name} was cut`);
        throw refuse(`user ${connection.hop.user} cannot become ${user} on ${connection.hop.name} (exit ${code}): ${said()}`);
      }
      if (complaint.split(prompt).length - 1 > asked) {
        if (asked > 0) throw refuse(`sudo on ${connection.hop.name} does not accept the password of user ${connection.hop.user}`);
        const password = await become.password();
        if (password === undefined) {
          throw refuse(
            `sudo on ${connection.hop.name} wants a password for user ${connection.hop.user}, and none is given: ` +
              `allow it without one (NOPASSWD in sudoers), or log in as ${user}`,
          );
        }
        asked++;
        channel.write(`${password}\n`);
        continue;
      }
      const leftMs = deadline - Date.now();
      if (leftMs <= 0) {
        channel.close();
        throw new NodeError('NODE_STREAM_LOST', `no shell of user ${user} on ${connection.hop.name} in ${BECOME_TIMEOUT_MS} ms: ${said()}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  } finally {
    channel.off('data', onOutput);
    channel.stderr.off('data', onComplaint);
    channel.off('exit', onExit);
    channel.off('close', onClose);
  }
}

/** The prompt is ours, so that we know when a password is wanted; a cached permission is not used, or the password would become a command. */
function sudo(user: string, inner: string, prompt: string): string {
  return `exec sudo -k -S -p ${shellWord(prompt)} -H -u ${shellWord(user)} -- ${inner}`;
}

/** Root needs no sudo, which may not be installed: `setpriv` of util-linux, else `su`. HOME is the user's own, as `sudo -H` makes it. */
function asRoot(user: string, inner: string): string {
  return [
    `u=${shellWord(user)}`,
    'g=$(id -g -- "$u") || exit 1',
    'eval "HOME=~$u"; export HOME; USER=$u; export USER; LOGNAME=$u; export LOGNAME; cd "$HOME" 2>/dev/null || cd /',
    `if command -v setpriv >/dev/null 2>&1; then exec setpriv --reuid="$u" --regid="$g" --init-groups -- ${inner}; fi`,
    `exec su -s /bin/sh "$u" -c ${shellWord(inner)}`,
  ].join('; ');
}
