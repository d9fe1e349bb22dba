// Starts, breaks and asks the three kv processes. Every command of the suite is one verb of this file.
//
//   node cluster.mjs up [--lossy]       start three nodes on free ports, forget old data
//   node cluster.mjs down               stop them and remove their data
//   node cluster.mjs leader             print the one leader, or what each node says
//   node cluster.mjs kill-leader        kill -9 the leader, remember whom
//   node cluster.mjs start-dead         start whatever node is not running
//   node cluster.mjs write N            write N keys, one every 25 ms; remember which were acknowledged
//   node cluster.mjs check              compare what was acknowledged with what the leader has
import { spawn } from 'node:child_process';
import { appendFileSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const dir = process.env.KV_DIR ?? join(tmpdir(), `onetear-quickstart-${process.getuid?.() ?? 0}`);
const stateFile = join(dir, 'cluster.json');
const ackedFile = join(dir, 'acked');
const state = () => JSON.parse(readFileSync(stateFile, 'utf8'));
const save = (value) => writeFileSync(stateFile, JSON.stringify(value, null, 2));

const freePort = () =>
  new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });

/** A pid may have been given to somebody else since: the command line tells. */
function isRunning(node) {
  if (!node.pid) return false;
  try {
    process.kill(node.pid, 0);
    if (!existsSync(`/proc/${node.pid}`)) return true; // no /proc on this system
    if (/\) Z/.test(readFileSync(`/proc/${node.pid}/stat`, 'utf8'))) return false;
    return readFileSync(`/proc/${node.pid}/cmdline`, 'utf8').includes(node.data);
  } catch {
    return false;
  }
}

function start(cluster, node) {
  const peers = cluster.nodes.map(({ id, port }) => `${id}=${port}`).join(',');
  const args = [fileURLToPath(new URL('kv.mjs', import.meta.url)), '--id', node.id, '--peers', peers, '--data', node.data];
  const log = openSync(join(dir, `${node.id}.log`), 'a');
  const child = spawn(process.execPath, cluster.lossy ? [...args, '--lossy'] : args, { detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  child.unref();
  node.pid = child.pid;
}

function stop(node) {
  if (isRunning(node)) process.kill(node.pid, 'SIGKILL');
}

async function ask(node, path, options) {
  try {
    const response = await fetch(`http://127.0.0.1:${node.port}${path}`, { ...options, signal: AbortSignal.timeout(1000) });
    return { status: response.status, body: await response.json() };
  } catch {
    return null;
  }
}

const statuses = () => Promise.all(state().nodes.map(async (node) => ({ node, answer: await ask(node, '/status') })));

async function findLeader() {
  const answers = (await statuses()).filter(({ answer }) => answer?.body.role === 'leader');
  const newest = Math.max(...answers.map(({ answer }) => answer.body.term));
  return answers.find(({ answer }) => answer.body.term === newest)?.node;
}

const verbs = {
  async up(option) {
    if (existsSync(stateFile)) state().nodes.forEach(stop);
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true });
    const nodes = [];
    for (const id of ['n1', 'n2', 'n3']) nodes.push({ id, port: await freePort(), data: join(dir, id) });
    const cluster = { lossy: option === '--lossy', nodes };
    for (const node of nodes) start(cluster, node);
    save(cluster);
    console.log(`three nodes in ${dir}${cluster.lossy ? ', losing writes on purpose' : ''}`);
  },
  async down() {
    if (existsSync(stateFile)) state().nodes.forEach(stop);
    rmSync(dir, { recursive: true, force: true });
  },
  async leader() {
    const answers = await statuses();
    const leaders = answers.filter(({ answer }) => answer?.body.role === 'leader');
    const said = answers.map(({ node, answer }) => `${node.id}: ${answer ? `${answer.body.role}, term ${answer.body.term}` : 'no answer'}`);
    console.log(leaders.length === 1 ? `leader ${leaders[0].node.id}` : `leaders: ${leaders.length}`);
    console.log(said.join('\n'));
  },
  async 'kill-leader'() {
    const leader = await findLeader();
    if (!leader) throw new Error('there is no leader to kill');
    process.kill(leader.pid, 'SIGKILL');
    console.log(`killed ${leader.id}`);
  },
  async 'start-dead'() {
    const cluster = state();
    for (const node of cluster.nodes.filter((each) => !isRunning(each))) {
      start(cluster, node);
      console.log(`started ${node.id}`);
    }
    save(cluster);
  },
  async write(count) {
    let acknowledged = 0;
    for (let i = 1; i <= Number(count); i += 1) {
      const key = `key-${String(i).padStart(3, '0')}`;
      const leader = await findLeader();
      const answer = leader && (await ask(leader, `/kv/${key}`, { method: 'PUT', body: `value-${i}` }));
      if (answer?.status === 200) {
        appendFileSync(ackedFile, `${key}\n`);
        acknowledged += 1;
      }
      await sleep(25);
    }
    console.log(JSON.stringify({ written: Number(count), acknowledged }));
  },
  async check() {
    const leader = await findLeader();
    if (!leader) throw new Error('there is no leader to ask');
    const present = new Set(Object.keys((await ask(leader, '/kv'))?.body ?? {}));
    const acked = readFileSync(ackedFile, 'utf8').split('\n').filter(Boolean);
    const lost = acked.filter((key) => !present.has(key));
    console.log(`acknowledged ${acked.length}, lost ${lost.length}${lost.length > 0 ? `: ${lost.join(' ')}` : ''}`);
  },
};

const [verb, argument] = process.argv.slice(2);
if (!verbs[verb]) {
  console.error(`unknown verb ${verb}; one of: ${Object.keys(verbs).join(', ')}`);
  process.exit(2);
}
try {
  await verbs[verb](argument);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
