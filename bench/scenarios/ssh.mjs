// Steps per second over ssh against what else runs commands over ssh, on the same sshd in the same run, in turns: paramiko and Fabric over one open
// connection, Ansible (cost of one more task), the ssh program. Each step of ours is durable: it is in the history, and starts at most once.
// A peer that cannot be installed is skipped with the reason.
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median } from '../harness.mjs';
import { startBenchSshd } from '../peers/bench-sshd.mjs';

const ROUNDS = 3;
const serial = { lanes: 1, stepsPerLane: 100 };
const ten = { lanes: 10, stepsPerLane: 20 };

function suiteOf({ lanes, stepsPerLane }) {
  const lines = ['context: { nodes: [node] }', 'commands: [{ name: noop, cmd: "true" }]', 'testcases:', '  - name: t', '    steps:'];
  for (let lane = 0; lane < lanes; lane += 1) {
    for (let i = 0; i < stepsPerLane; i += 1)
      lines.push(`      - { id: s${lane}_${i}, use: noop, needs: [${i === 0 ? '' : `s${lane}_${i - 1}`}] }`);
  }
  return `${lines.join('\n')}\n`;
}

function stepSeconds(events) {
  const steps = events.filter((event) => event.type === 'step_started' || event.type === 'step_finished');
  return (Date.parse(steps.at(-1).ts) - Date.parse(steps[0].ts)) / 1000;
}

/** Folder with the programs of the Python peers, or why there is none. `ONETEAR_BENCH_VENV` names one that is there already. */
function pythonPeers(bench) {
  const given = process.env.ONETEAR_BENCH_VENV;
  if (given) return { bin: join(given, 'bin') };
  const venv = join(bench.scratch, 'venv');
  const made = spawnSync('python3', ['-m', 'venv', venv], { encoding: 'utf8' });
  if (made.status !== 0) return { reason: `no Python venv: ${(made.stderr || String(made.error)).trim().split('\n').at(-1)}` };
  const installed = spawnSync(join(venv, 'bin', 'pip'), ['install', '-q', 'paramiko', 'fabric', 'ansible-core'], {
    encoding: 'utf8',
    timeout: 300_000,
  });
  if (installed.status !== 0)
    return { reason: `pip install failed: ${(installed.stderr || String(installed.error)).trim().split('\n').at(-1)}` };
  return { bin: join(venv, 'bin') };
}

function check(done, what) {
  if (done.error || done.status !== 0) throw new Error(`${what}: ${done.error?.message ?? `${done.stderr}${done.stdout}`}`);
  return done;
}

export async function run(bench) {
  const sshd = await startBenchSshd(join(bench.scratch, 'sshd'));
  if (sshd.reason) return [{ scenario: 'ssh', figure: `skipped: ${sshd.reason}` }];
  try {
    return measure(bench, sshd);
  } finally {
    sshd.stop();
  }
}

function measure(bench, sshd) {
  const python = pythonPeers(bench);
  const script = fileURLToPath(new URL('../peers/ssh_peers.py', import.meta.url));
  const throughPython = (peer) => () =>
    Number(
      check(spawnSync(join(python.bin, 'python'), [script, peer, String(sshd.port), sshd.key, '100'], { encoding: 'utf8' }), peer).stdout,
    );
  const seconds = (program, args, options) => {
    const began = performance.now();
    check(spawnSync(program, args, { encoding: 'utf8', ...options }), program);
    return (performance.now() - began) / 1000;
  };
  const ansible = () => {
    const play = (count) => {
      const file = join(bench.scratch, `play-${count}.json`);
      const tasks = Array.from({ length: count }, () => ({ 'ansible.builtin.shell': { cmd: 'true' } }));
      writeFileSync(file, JSON.stringify([{ hosts: 'all', gather_facts: false, tasks }]));
      const args = ['-i', 'node,', '-e', 'ansible_python_interpreter=/usr/bin/python3', '--ssh-common-args', `-F ${sshd.config}`, file];
      return seconds(join(python.bin, 'ansible-playbook'), args, { env: { ...process.env, ANSIBLE_LOCALHOST_WARNING: 'false' } });
    };
    const count = 10;
    return count / (play(count + 1) - play(1));
  };
  const cli = () => {
    const count = 15;
    let total = 0;
    for (let i = 0; i < count; i += 1) total += seconds('ssh', ['-F', sshd.config, 'node', 'true']);
    return count / total;
  };
  const peers = [
    { name: 'paramiko', rate: throughPython('paramiko'), serial: 1.7, ten: 5, python: true },
    { name: 'Fabric', rate: throughPython('fabric'), serial: 1.7, ten: 5, python: true },
    { name: 'Ansible', rate: ansible, serial: 5, ten: 15, python: true },
    { name: 'ssh CLI', rate: cli, serial: 7, ten: 20, python: false },
  ];
  const rows = [];
  const usable = peers.filter((peer) => {
    const missing = peer.python && (python.reason ?? (existsSync(python.bin) ? undefined : `${python.bin} is not there`));
    if (missing) rows.push({ scenario: 'ssh', figure: `against ${peer.name}: skipped: ${missing}` });
    return !missing;
  });

  const ours = (shape) =>
    (shape.lanes * shape.stepsPerLane) / stepSeconds(bench.start(`ssh-${shape.lanes}`, suiteOf(shape), ['--ssh-config', sshd.config]));
  bench.start('ssh-warm-up', suiteOf({ lanes: 1, stepsPerLane: 5 }), ['--ssh-config', sshd.config]);
  const rates = new Map([['serial', []], ['ten', []], ...usable.map(({ name }) => [name, []])]);
  for (let round = 0; round < ROUNDS; round += 1) {
    rates.get('serial').push(ours(serial));
    rates.get('ten').push(ours(ten));
    for (const peer of usable) rates.get(peer.name).push(peer.rate());
  }
  for (const [shape, words] of [
    ['serial', 'serial steps per second'],
    ['ten', '10 in flight, steps per second'],
  ]) {
    for (const peer of usable) {
      const ratio = median(rates.get(shape).map((value, i) => value / rates.get(peer.name)[i]));
      rows.push({
        scenario: 'ssh',
        figure: `${words} vs ${peer.name}${shape === 'ten' ? ' (serial)' : ''}`,
        ours: median(rates.get(shape)),
        peer: median(rates.get(peer.name)),
        ratio,
        target: `>= ${peer[shape]}x`,
        ok: ratio >= peer[shape],
      });
    }
  }
  return rows;
}
