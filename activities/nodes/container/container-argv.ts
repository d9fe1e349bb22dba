import type { Node } from '../../../dsl/model/node.ts';
import { NodeError } from '../node-error.ts';
import type { Identity } from '../node-pool.ts';

/** Words that must not be taken for options, and mean one container or pod: a selector like `deploy/web` would be another pod each time. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

/** `docker exec -i [-u USER] NAME /bin/sh`. Never a terminal. Throws NODE_REFUSED for what is no name. */
export function dockerArgv(node: Node, identity: Identity): readonly string[] {
  const user = identity.user ?? (identity.sudo ? 'root' : node.user);
  return ['docker', 'exec', '-i', ...(user === undefined ? [] : ['-u', checked('user', user)]), checked('container', node.host), '/bin/sh'];
}

/**
 * `kubectl exec -i POD [-c CONTAINER] [-n NAMESPACE] [--context C] -- /bin/sh`; container, namespace and context are the node's
 * `vars` `kubectl_container`, `kubectl_namespace` and `kubectl_context`. kubectl knows no users: another one is entered inside, as root, or by sudo.
 */
export function kubectlArgv(node: Node, identity: Identity): readonly string[] {
  const variable = (name: string): string | undefined => {
    const value = node.vars[name];
    if (value === undefined || value === null) return undefined;
    if (typeof value !== 'string') throw new NodeError('NODE_REFUSED', `vars.${name} of node ${node.name} is not a text`);
    return value;
  };
  const container = variable('kubectl_container');
  const namespace = variable('kubectl_namespace');
  const context = variable('kubectl_context');
  const user = identity.user ?? (identity.sudo ? 'root' : node.user);
  return [
    'kubectl',
    'exec',
    '-i',
    checked('pod', node.host),
    ...(container === undefined ? [] : ['-c', checked('container', container)]),
    ...(namespace === undefined ? [] : ['-n', checked('namespace', namespace)]),
    ...(context === undefined ? [] : [`--context=${context}`]),
    '--',
    ...(user === undefined ? ['/bin/sh'] : ['/bin/sh', '-c', BECOME, 'sh', checked('user', user)]),
  ];
}

/** `/bin/sh` as user `$1`: nothing to do when that is us already. */
const BECOME = [
  'u=$1',
  '[ "$(id -un)" = "$u" ] && exec /bin/sh',
  'if [ "$(id -u)" != 0 ]; then exec sudo -n -H -u "$u" -- /bin/sh; fi',
  'g=$(id -g -- "$u" 2>/dev/null) || exit 113',
  'eval "HOME=~$u"; export HOME',
  'if command -v setpriv >/dev/null 2>&1; then exec setpriv --reuid="$u" --regid="$g" --init-groups -- /bin/sh; fi',
  'exec su -s /bin/sh "$u" -c "exec /bin/sh"',
].join('\n');

function checked(what: string, text: string): string {
  if (!NAME.test(text)) throw new NodeError('NODE_REFUSED', `not the name of a ${what}: ${JSON.stringify(text)}`);
  return text;
}

/**
 * What docker and kubectl say when there will never be a shell: one that is missing in the image. Everything else (no such container, not running,
 * no server) may be different a moment later.
 */
export function containerRefusal(exitCode: number, said: string): string | undefined {
  if (exitCode === 113) return 'the user does not exist in the container';
  if (/unable to find user|unknown user/i.test(said)) return `the user does not exist in the container (${said})`;
  // 126 alone is also "cannot exec in a stopped container".
  const missing = /executable file not found|\/bin\/sh\b.*(no such file or directory|permission denied)/is.test(said);
  if ((exitCode !== 126 && exitCode !== 127) || !missing) return undefined;
  return `no shell in the container: /bin/sh cannot be started there (${said})`;
}
