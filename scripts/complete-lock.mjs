// Completes package-lock.json with the platform packages (`@swc/core-darwin-arm64`, …) that the registry in use did not serve when the lock
// was written. `npm ci` refuses a lock that lacks them although none of them is for this machine. Run it after changing dependencies:
//   npm install --ignore-scripts && node scripts/complete-lock.mjs
// An entry needs no integrity: the parent pins the exact version, and npm skips what is for another os, cpu or libc.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './setup.mjs';

const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const CPUS = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64', 'wasm32'];
const file = join(root, 'package-lock.json');
const lock = JSON.parse(readFileSync(file, 'utf8'));

/** Whether node would find `name` from the package at `path` of the lock. */
function isThere(path, name) {
  for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    if (lock.packages[`${at === '' ? '' : `${at}/`}node_modules/${name}`]) return true;
    if (at === '') return false;
    if (!at.includes('/node_modules/')) at = '/node_modules/';
  }
}

function entryOf(name, version) {
  const words = name.split(/[-/.]/);
  const os = SYSTEMS.filter((each) => words.includes(each));
  const cpu = CPUS.filter((each) => words.includes(each) || (each === 'ia32' && words.includes('i686')));
  const libc = words.some((word) => word.startsWith('musl'))
    ? ['musl']
    : os.includes('linux') && words.some((word) => word.startsWith('gnu'))
      ? ['glibc']
      : undefined;
  if (os.length + cpu.length === 0) throw new Error(`${name}: no platform in its name; add it by hand`);
  return { version, ...(cpu.length > 0 && { cpu }), dev: true, ...(libc && { libc }), optional: true, ...(os.length > 0 && { os }) };
}

let added = 0;
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (isThere(path, name) || !/^\d/.test(version)) continue;
    const made = entryOf(name, version);
    if (!entry.dev) delete made.dev;
    lock.packages[`node_modules/${name}`] = made;
    added += 1;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).toSorted(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
process.stderr.write(`${added} platform packages added\n`);
