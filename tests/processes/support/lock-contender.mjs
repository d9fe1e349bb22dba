// Takes a lock ROUNDS times and adds one to a counter file under it: node lock-contender.mjs MODULE LOCK COUNTER ROUNDS [die]
import { readFileSync, writeFileSync } from 'node:fs';

const [module, folder, counter, rounds, die] = process.argv.slice(2);
const { acquireLock } = await import(module);
for (let round = 0; round < Number(rounds); round += 1) {
  const lock = await acquireLock(folder, 60_000);
  const value = Number(readFileSync(counter, 'utf8'));
  // Anybody else in here would read the same number.
  await new Promise((resolve) => setTimeout(resolve, 1));
  writeFileSync(counter, String(value + 1));
  // Killed while it holds the lock: nobody releases it.
  if (die === 'die' && round === Number(rounds) - 1) process.kill(process.pid, 'SIGKILL');
  lock.release();
}
