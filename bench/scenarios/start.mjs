// From typing `onetear start` to the first step on its way: with the server up, and from nothing at all.
import { createBench, median } from '../harness.mjs';

const suite = 'testcases:\n  - { name: t, steps: [{ cmd: "true" }] }\n';
const firstStep = (events) => Date.parse(events.find((event) => event.type === 'step_started').ts);

export async function run(bench) {
  const rows = [];
  const cold = createBench();
  try {
    const began = Date.now();
    const events = cold.start('cold', suite);
    rows.push({
      scenario: 'start',
      figure: 'cold: nothing running (s)',
      ours: (firstStep(events) - began) / 1000,
      target: '<= 5',
      ok: firstStep(events) - began <= 5000,
    });
  } finally {
    cold.close();
  }
  bench.start('warm-up', suite);
  const times = [];
  const wholes = [];
  for (let i = 0; i < 7; i += 1) {
    const began = Date.now();
    const events = bench.start('warm', suite);
    times.push(firstStep(events) - began);
    wholes.push(Date.now() - began);
  }
  rows.push({
    scenario: 'start',
    figure: 'server up: to the first step, median of 7 (s)',
    ours: median(times) / 1000,
    target: '<= 0.8',
    ok: median(times) <= 800,
  });
  rows.push({ scenario: 'start', figure: 'server up: whole run of one step, median of 7 (s)', ours: median(wholes) / 1000 });
  return rows;
}
