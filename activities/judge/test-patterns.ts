import { Worker } from 'node:worker_threads';

/** Regular expressions of users run beside the event loop: one of them may take for ever. */
export interface PatternOutcome {
  readonly pattern: string;
  /** `slow`: not decided within the limit. `invalid`: no regular expression; `message` says why. */
  readonly outcome: 'match' | 'no_match' | 'slow' | 'invalid';
  readonly message?: string;
}

/** Limit for all patterns of one stream together. */
export const PATTERN_LIMIT_MS = 10_000;
const MAX_WORKERS = 2;

/** Plain JavaScript as text: a worker thread cannot load our sources in every way they are run (built, or by the test runner). */
const SOURCE = `
const { parentPort } = require('node:worker_threads');
parentPort.on('message', ({ text, patterns }) => {
  for (const pattern of patterns) {
    let outcome;
    try {
      outcome = { pattern, outcome: new RegExp(pattern, 'mu').test(text) ? 'match' : 'no_match' };
    } catch (error) {
      outcome = { pattern, outcome: 'invalid', message: error.message };
    }
    parentPort.postMessage(outcome);
  }
});
`;

const idle: Worker[] = [];
const queue: (() => void)[] = [];
let busy = 0;

/** Tests patterns (JavaScript, flags `mu`) against a text, in a thread of its own. At most two run at a time; the limit starts when it is their turn. */
export async function testPatterns(
  text: string,
  patterns: readonly string[],
  limitMs = PATTERN_LIMIT_MS,
): Promise<readonly PatternOutcome[]> {
  if (patterns.length === 0) return [];
  if (busy >= MAX_WORKERS) await new Promise<void>((resolve) => queue.push(resolve));
  else busy++;
  try {
    return await runPatterns(text, patterns, limitMs);
  } finally {
    const next = queue.shift();
    if (next === undefined) busy--;
    else next();
  }
}

function runPatterns(text: string, patterns: readonly string[], limitMs: number): Promise<readonly PatternOutcome[]> {
  const worker = idle.pop() ?? new Worker(SOURCE, { eval: true });
  worker.ref();
  return new Promise((resolve, reject) => {
    const outcomes: PatternOutcome[] = [];
    const onMessage = (outcome: PatternOutcome): void => {
      outcomes.push(outcome);
      if (outcomes.length < patterns.length) return;
      leave();
      // Kept for the next condition; it must not keep the process.
      worker.unref();
      idle.push(worker);
      resolve(outcomes);
    };
    const onError = (error: Error): void => {
      leave();
      void worker.terminate();
      reject(error);
    };
    // Only ours: `removeAllListeners` would also take the ones with which a Worker delivers its messages, and it would stay silent for ever.
    const leave = (): void => {
      clearTimeout(timer);
      worker.off('message', onMessage).off('error', onError);
    };
    const timer = setTimeout(() => {
      leave();
      void worker.terminate();
      resolve([...outcomes, ...patterns.slice(outcomes.length).map((pattern): PatternOutcome => ({ pattern, outcome: 'slow' }))]);
    }, limitMs);
    worker.on('message', onMessage).on('error', onError);
    worker.postMessage({ text, patterns }, []);
  });
}
