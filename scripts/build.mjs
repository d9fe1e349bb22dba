// Builds dist/: plain tsc, the prebuilt workflow bundle, assets, and dist/build.json with the build id.
//
//   node scripts/build.mjs [--keep-going] [--force]
//
// Nothing to do costs a hash over the sources. A build happens in dist.next and is swapped in by two renames, so that a process started
// meanwhile sees one whole build; two builds at once wait for each other. --keep-going swaps in spite of type errors (work in progress).
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const ROOMS = ['dsl', 'workflows', 'activities', 'report', 'telemetry', 'worker', 'client'];
const FILES = ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'scripts/build.mjs'];
/** What the bundle is made of; a change elsewhere does not cost a webpack run. */
const BUNDLED_ROOMS = ['dsl', 'workflows', 'worker'];
const DIST = path.join(ROOT, 'dist');
const NEXT = path.join(ROOT, 'dist.next');
const LOCK = path.join(ROOT, 'node_modules', '.cache', 'onetear-build.lock');
const keepGoing = process.argv.includes('--keep-going');
const force = process.argv.includes('--force');

/** Relative paths of all files below a folder, sorted; hidden entries and tests left out. */
function filesBelow(folder, wanted, found = [], relative = '') {
  for (const entry of readdirSync(path.join(folder, relative), { withFileTypes: true })) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    const name = path.posix.join(relative, entry.name);
    if (entry.isDirectory()) filesBelow(folder, wanted, found, name);
    else if (wanted(name)) found.push(name);
  }
  return found.sort((a, b) => (a < b ? -1 : 1));
}

function hashFiles(folder, names) {
  const hash = createHash('sha256');
  for (const name of names) {
    const content = readFileSync(path.join(folder, name));
    hash.update(`${name}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

function hashSources() {
  const names = ROOMS.filter((room) => existsSync(path.join(ROOT, room))).flatMap((room) =>
    filesBelow(path.join(ROOT, room), (name) => !name.endsWith('.test.ts')).map((name) => `${room}/${name}`),
  );
  return hashFiles(ROOT, [...names, ...FILES.filter((name) => existsSync(path.join(ROOT, name)))]);
}

function readBuild() {
  try {
    return JSON.parse(readFileSync(path.join(DIST, 'build.json'), 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError || error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** True when dist holds exactly these sources, built without errors (or errors are accepted now). */
function isUpToDate(build, sources) {
  return (
    build !== undefined && build.sources === sources && (build.clean || keepGoing) && existsSync(path.join(DIST, 'workflow-bundle.js'))
  );
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** One build at a time; a lock whose owner is gone, or that is older than any build, is taken over. */
async function lockBuild() {
  mkdirSync(path.dirname(LOCK), { recursive: true });
  for (;;) {
    try {
      writeFileSync(LOCK, String(process.pid), { flag: 'wx' });
      process.on('exit', () => rmSync(LOCK, { force: true }));
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    try {
      const owner = Number(readFileSync(LOCK, 'utf8'));
      const ageMs = Date.now() - statSync(LOCK).mtimeMs;
      // An empty file is an owner between create and write.
      if (ageMs > 300_000 || (owner > 0 ? !isAlive(owner) : ageMs > 5000)) rmSync(LOCK, { force: true });
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function compile() {
  const tsc = path.join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const result = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', NEXT], { cwd: ROOT, encoding: 'utf8' });
  if (result.error) throw result.error;
  if (result.status === 0) return true;
  process.stderr.write(`${result.stdout}${result.stderr}`);
  if (!keepGoing) {
    process.stderr.write('build: type errors, dist is unchanged\n');
    process.exit(1);
  }
  process.stderr.write('build: type errors, going on\n');
  return false;
}

function copyAssets() {
  for (const room of ROOMS) {
    if (!existsSync(path.join(ROOT, room))) continue;
    for (const name of filesBelow(path.join(ROOT, room), (name) => !/\.(ts|md)$/.test(name))) {
      const target = path.join(NEXT, room, name);
      mkdirSync(path.dirname(target), { recursive: true });
      copyFileSync(path.join(ROOT, room, name), target);
      chmodSync(target, statSync(path.join(ROOT, room, name)).mode);
    }
  }
}

async function bundle(lockHash) {
  const inputs = createHash('sha256').update(lockHash);
  for (const room of BUNDLED_ROOMS) {
    if (existsSync(path.join(NEXT, room)))
      inputs.update(
        hashFiles(
          path.join(NEXT, room),
          filesBelow(path.join(NEXT, room), (name) => name.endsWith('.js')),
        ),
      );
  }
  const bundleInputs = inputs.digest('hex');
  const target = path.join(NEXT, 'workflow-bundle.js');
  if (!force && readBuild()?.bundleInputs === bundleInputs && existsSync(path.join(DIST, 'workflow-bundle.js'))) {
    copyFileSync(path.join(DIST, 'workflow-bundle.js'), target);
    return bundleInputs;
  }
  const { bundleWorkflows } = await import(pathToFileURL(path.join(NEXT, 'worker', 'bundle-workflows.js')).href);
  await bundleWorkflows({
    workflowsPath: path.join(NEXT, 'workflows', 'index.js'),
    failureConverterPath: path.join(NEXT, 'workflows', 'failure-converter.js'),
    target,
  });
  return bundleInputs;
}

function swap() {
  const old = path.join(ROOT, `dist.old-${process.pid}`);
  if (existsSync(DIST)) renameSync(DIST, old);
  renameSync(NEXT, DIST);
  rmSync(old, { recursive: true, force: true });
}

const startedAt = Date.now();
if (!force && isUpToDate(readBuild(), hashSources())) process.exit(0);
await lockBuild();
const sources = hashSources();
if (!force && isUpToDate(readBuild(), sources)) process.exit(0);
rmSync(NEXT, { recursive: true, force: true });
const clean = compile();
copyAssets();
const lockHash = hashFiles(ROOT, ['package-lock.json']);
const bundleInputs = await bundle(lockHash);
// The bundle is a function of the code and the locked packages, both of which are in the id already; its bytes may name folders.
const code = filesBelow(NEXT, (name) => !name.endsWith('.map') && !name.endsWith('.d.ts') && name !== 'workflow-bundle.js');
const build = createHash('sha256').update(hashFiles(NEXT, code)).update(lockHash).digest('hex').slice(0, 12);
const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
writeFileSync(path.join(NEXT, 'build.json'), `${JSON.stringify({ version, build, sources, bundleInputs, clean }, null, 2)}\n`);
const main = path.join(NEXT, 'client', 'main.js');
if (existsSync(main)) chmodSync(main, 0o755);
swap();
process.stderr.write(`build: ${version}+${build} in ${((Date.now() - startedAt) / 1000).toFixed(1)} s\n`);
