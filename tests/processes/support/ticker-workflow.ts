import { defineQuery, setHandler, sleep } from '@temporalio/workflow';

/** How many pauses are behind it. */
export const ticksQuery = defineQuery<number>('ticks');

/** Sleeps `count` times; every wake-up needs a living server and a living worker. */
export async function ticker(count: number, everyMs: number): Promise<number> {
  let ticks = 0;
  setHandler(ticksQuery, () => ticks);
  while (ticks < count) {
    await sleep(everyMs);
    ticks += 1;
  }
  return ticks;
}
