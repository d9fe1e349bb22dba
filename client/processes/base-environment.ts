const KEPT = new Set([
  'HOME',
  'LANG',
  'LOGNAME',
  'PATH',
  'SHELL',
  'TMPDIR',
  'USER',
  'SSH_AUTH_SOCK',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
]);
const KEPT_PREFIXES = ['LC_', 'XDG_', 'ONETEAR_', 'OTEL_'];

/**
 * The environment of keeper, server and worker. They outlive the command that happened to start them and serve runs of other shells:
 * whatever that one shell exported (credentials of a CI job, a virtual environment) must neither leak into later runs nor decide them.
 * `TEMPORAL_*` passes only to a worker for the user's own cluster.
 */
export function baseEnvironment(env: NodeJS.ProcessEnv, options: { readonly temporal: boolean }): NodeJS.ProcessEnv {
  const kept: NodeJS.ProcessEnv = {};
  for (const [name, value] of Object.entries(env)) {
    const wanted =
      KEPT.has(name) || KEPT_PREFIXES.some((prefix) => name.startsWith(prefix)) || (options.temporal && name.startsWith('TEMPORAL_'));
    if (wanted && value !== undefined) kept[name] = value;
  }
  return kept;
}
