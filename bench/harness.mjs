// Shared by the scenarios: a home of its own with the embedded server, the built program, timing, and a table at the end.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const cli = join(root, 'dist', 'client', 'main.js');

export function createBench() {
  const scratch = mkdtempSync(join(tmpdir(), 'onetear-bench-'));
  const env = { ...process.env, ONETEAR_HOME: join(scratch, 'home'), CI: 'true', NO_COLOR: '1' };
  const onetear = (args, options = {}) =>
    spawnSync(process.execPath, [cli, ...args], { cwd: scratch, env, encoding: 'utf8', maxBuffer: 1 << 30, ...options });
  return {
    scratch,
    env,
    onetear,
    /** Runs a suite text and returns its events; throws when it does not pass. */
    start(name, text, args = []) {
      const file = join(scratch, `${name}.yaml`);
      writeFileSync(file, text);
      const done = onetear(['start', file, '--output', 'json', '--results', join(scratch, 'results', `${name}-${Date.now()}`), ...args]);
      if (done.status !== 0) throw new Error(`${name}: exit ${done.status}\n${done.stderr.slice(-2000)}\n${done.stdout.slice(-2000)}`);
      return done.stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line));
    },
    status: () => JSON.parse(onetear(['server', 'status', '--json']).stdout),
    close() {
      onetear(['server', 'stop']);
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}

/** Starts a long-running peer and waits for its `ready` line. */
export function startPeer(program, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], ...options });
    child.stdout.on('data', (chunk) => String(chunk).includes('ready') && resolve(child));
    child.on('exit', (code) => reject(new Error(`peer ended with ${code}`)));
  });
}

export async function timed(work) {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

export const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** Prints rows `{scenario, figure, ours, peer, ratio, target, ok}` and saves them as JSON. */
export function report(rows, file) {
  const columns = ['scenario', 'figure', 'ours', 'peer', 'ratio', 'target', 'ok'];
  const text = (value) => (typeof value === 'number' ? value.toFixed(value < 10 ? 2 : 1) : String(value ?? ''));
  const widths = columns.map((column) => Math.max(column.length, ...rows.map((row) => text(row[column]).length)));
  const line = (cells) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i]))
      .join('  ')
      .trimEnd();
  process.stdout.write(`${line(columns)}\n${rows.map((row) => line(columns.map((column) => text(row[column])))).join('\n')}\n`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ date: new Date().toISOString(), node: process.version, rows }, null, 2)}\n`);
}
