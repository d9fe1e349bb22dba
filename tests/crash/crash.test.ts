import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPlayground, eventsOf, type Playground, processesWith } from '../support/onetear.ts';

/**
 * A suite runs; one process of ours is killed with -9 at a point spread over the run. Whatever died: every command ran once per try,
 * the verdict is right, the fault is undone, nothing is left behind. 10 kills every day, 40 with ONETEAR_LONG=1.
 */
const VICTIMS = ['worker', 'server', 'keeper', 'cli'] as const;
const KILLS = process.env['ONETEAR_LONG'] ? 40 : 10;
/** The suite below takes about this long when nobody disturbs it. */
const SPREAD_MS = 6000;

const suite = `
context: { env: { LEDGER: "" } }
strategy: { max_parallel: 2 }
commands:
  - name: mark
    inputs: { t: null }
    cmd: echo "\${{ inputs.t }} $ONETEAR_TRY begin" >> "$WORK/ledger"; sleep 0.4; echo "\${{ inputs.t }} $ONETEAR_TRY end" >> "$WORK/ledger"
  - name: second_try
    cmd: echo "second $ONETEAR_TRY begin" >> "$WORK/ledger"; [ "$ONETEAR_TRY" -ge 2 ]
    retry: { max: 3, delay: 300ms }
chaos:
  - name: cut
    cmd: touch "$WORK/cut"; echo "inject begin" >> "$WORK/ledger"
    verify: { cmd: test -e "$WORK/cut" }
    recover: { cmd: rm -f "$WORK/cut", verify: { cmd: "! test -e \\"$WORK/cut\\"" } }
    duration: 1
testcases:
  - name: serial
    steps:
      - { id: a1, use: mark, with: { t: a1 } }
      - { id: a2, use: mark, with: { t: a2 } }
      - second_try
      - { id: a3, use: mark, with: { t: a3 } }
      - cut
      - { id: a4, use: mark, with: { t: a4 } }
  - name: parallel
    steps:
      - { id: b1, use: mark, with: { t: b1 } }
      - parallel:
          - { id: b2, use: mark, with: { t: b2 } }
          - { id: b3, use: mark, with: { t: b3 } }
      - { id: b4, use: mark, with: { t: b4 } }
    hooks:
      after: { cmd: 'echo "after begin" >> "$WORK/ledger"' }
`;

const expectedLedger = [
  ...['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'b3', 'b4'].flatMap((token) => [`${token} 1 begin`, `${token} 1 end`]),
  'second 1 begin',
  'second 2 begin',
  'inject begin',
  'after begin',
].toSorted();

describe(`kill -9 at ${KILLS} points`, () => {
  let play: Playground;
  beforeAll(async () => {
    play = createPlayground();
    play.write('suite.yaml', suite);
    expect((await play.run(['server', 'start'])).code).toBe(0);
  });
  afterAll(() => play.close());
  /** Kills of the command line that came after the run had begun: only these say something. */
  let cliKills = 0;

  it.each(
    Array.from({ length: KILLS }, (_, i) => ({
      victim: VICTIMS[i % VICTIMS.length] as (typeof VICTIMS)[number],
      delayMs: Math.round(((i + 0.5) / KILLS) * SPREAD_MS),
      i,
    })),
  )(
    '$victim after $delayMs ms',
    async ({ victim, delayMs, i }) => {
      const work = `w${i}`;
      mkdirSync(`${play.dir}/${work}`);
      const run = play.spawn([
        'start',
        'suite.yaml',
        '--output',
        'json',
        '--env',
        `WORK=${play.dir}/${work}`,
        '--results',
        `${play.dir}/${work}/results`,
      ]);
      await sleep(400 + delayMs);
      if (victim === 'cli') {
        process.kill(-(run.child.pid as number), 'SIGKILL');
      } else {
        process.kill(await play.pidOf(victim), 'SIGKILL');
      }
      let { code, stdout, stderr } = await run.finished;
      if (victim === 'cli') {
        const id = eventsOf(stdout.slice(0, stdout.lastIndexOf('\n') + 1))[0]?.['run'] as string | undefined;
        // Killed before the run came to be: nothing may have run.
        if (!id && !play.exists(`${work}/ledger`)) return;
        cliKills += 1;
        ({ code, stdout, stderr } = await play.run(['watch', id ?? 'last', '--output', 'json']));
      }
      expect(code, stderr + stdout.slice(-2000)).toBe(0);
      const final = eventsOf(stdout).at(-1);
      expect(final).toMatchObject({ type: 'run_finished', verdict: 'passed', recovery: 'clean', exit: 0 });
      expect(play.read(`${work}/ledger`).trim().split('\n').toSorted()).toEqual(expectedLedger);
      expect(play.exists(`${work}/cut`)).toBe(false);
      expect(processesWith(`WORK=${play.dir}/${work}`)).toEqual([]);
    },
    120_000,
  );

  it('killed the command line of a run at least once', () => {
    expect(cliKills).toBeGreaterThan(0);
  });
});
