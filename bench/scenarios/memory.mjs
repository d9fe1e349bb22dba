// Resident memory of the worker before and after 1,000 testcases.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const suiteOf = (cases) =>
  `commands: [{ name: noop, cmd: "true" }]\nstrategy: { max_parallel: 10 }\ntestcases:\n${Array.from({ length: cases }, (_, i) => `  - { name: t${i}, steps: [noop] }`).join('\n')}\n`;
const rssMiB = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

export async function run(bench) {
  bench.start('memory-warm', suiteOf(100));
  const before = rssMiB(bench.status().worker.pid);
  const began = Date.now();
  bench.start('memory', suiteOf(1000));
  const seconds = (Date.now() - began) / 1000;
  await sleep(2000);
  const after = rssMiB(bench.status().worker.pid);
  return [
    { scenario: 'memory', figure: 'worker RSS after 100 testcases (MiB)', ours: before },
    { scenario: 'memory', figure: 'worker RSS after 1,000 more (MiB)', ours: after, target: '<= 600', ok: after <= 600 },
    { scenario: 'memory', figure: '1,000 one-step testcases, 10 in parallel (testcases/s)', ours: 1000 / seconds },
  ];
}
