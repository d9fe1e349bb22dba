// What test layers need beyond npm, and how this machine gets it. Each need is `ready()` or gets `packages` from Debian when we are root.
// A need that cannot be met makes its layer print `skipped: reason`; on a Debian machine with root that is a failure of the run.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const onPath = (program) =>
  [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'].some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

export const isDebianRoot = () => process.getuid?.() === 0 && existsSync('/etc/debian_version') && onPath('apt-get');

const needs = {
  shells: { ready: () => ['dash', 'bash', 'busybox'].every(onPath), packages: ['dash', 'bash', 'busybox'] },
  // Servers of the tests run as root, with keys and a port of their own.
  sshd: {
    ready: () =>
      process.getuid?.() === 0 &&
      existsSync('/usr/sbin/sshd') &&
      ['ssh', 'ssh-keygen', 'ssh-agent', 'sudo', 'ip', 'unshare', 'perl'].every(onPath),
    packages: ['openssh-server', 'openssh-client', 'sudo', 'iproute2', 'util-linux', 'perl-base'],
  },
  xmllint: { ready: () => onPath('xmllint'), packages: ['libxml2-utils'] },
  git: { ready: () => onPath('git'), packages: ['git'] },
  python: { ready: () => onPath('python3'), packages: ['python3'] },
  openssl: { ready: () => onPath('openssl'), packages: ['openssl'] },
  postgres: {
    ready: () => existsSync('/usr/lib/postgresql/15/bin/postgres') && onPath('psql') && (process.getuid?.() !== 0 || onPath('setpriv')),
    packages: ['postgresql-15'],
  },
  mariadb: { ready: () => existsSync('/usr/sbin/mariadbd') && onPath('mariadb-install-db'), packages: ['mariadb-server'] },
  prometheus: { ready: () => onPath('prometheus'), packages: ['prometheus'] },
  repmgr: {
    ready: () => process.getuid?.() === 0 && onPath('ip') && existsSync('/usr/lib/postgresql/15/bin/repmgr'),
    packages: ['postgresql-15', 'postgresql-15-repmgr', 'iproute2'],
  },
  // The binary is found or fetched by onetear itself, see client/processes/locate-temporal.ts.
  temporal: {
    ready: () =>
      Boolean(process.env.ONETEAR_TEMPORAL_BIN) ||
      onPath('temporal') ||
      spawnSync('python3', ['-c', 'import ensurepip, venv'], { stdio: 'ignore' }).status === 0,
    packages: ['python3', 'python3-venv'],
  },
};

let updated = false;
function aptInstall(packages) {
  const options = { stdio: ['ignore', 'ignore', 2], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
  if (!updated) spawnSync('apt-get', ['update', '-qq'], options);
  updated = true;
  // No service may start by itself: tests start their own, in namespaces of their own.
  return (
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], {
      ...options,
      env: { ...options.env, RUNLEVEL: '1' },
    }).status === 0
  );
}

/** Makes sure the needs of a layer are there; returns why not, or undefined. */
export function missingNeed(names = []) {
  for (const name of names) {
    const need = needs[name];
    if (need.ready()) continue;
    if (isDebianRoot() && aptInstall(need.packages) && need.ready()) continue;
    return `${name} is not here (${need.packages.join(', ')})`;
  }
  return undefined;
}

/** `not applicable` reasons that a kernel or machine may give, from the allow-list in the repository. */
export const notApplicable = () => JSON.parse(readFileSync(new URL('../tests/not-applicable.json', import.meta.url), 'utf8'));
