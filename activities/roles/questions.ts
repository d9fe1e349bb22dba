import type { NodeResult } from '../../dsl/model/result.ts';
import type { AskRolesInput, RoleCandidate, RoleQuestion } from '../../dsl/model/workflow-io.ts';
import { type Attendance, pause } from '../attendance.ts';
import type { ActivityDeps } from '../deps.ts';
import { blank, judgeTry } from '../judge/judge-try.ts';
import { jobName } from '../nodes/job-name.ts';
import { nodePool } from '../nodes/node-pool.ts';
import { execute, hostOf } from '../run-types.ts';
import type { Masker } from '../secrets/masker.ts';
import { prepareCommand } from '../secrets/prepare-command.ts';

/** A node whose shell does not answer within this counts as not asked in this round; the next round asks it again. */
const PATIENCE_MS = 3_000;
/** For delivering a question and reading its answer, beyond its own limit. */
const SLACK_MS = 5_000;
/** Longest wait for a connection: a role is asked when nodes are down, and the others must not wait for them. */
const CONNECT_MS = 10_000;
const AT_ONCE = 32;

/** Asks nodes, at most one question per role and node under way. */
export interface Questions {
  /** One answer per candidate, in their order; waits for every question that has begun on its node, for others only a few seconds. */
  ask(question: RoleQuestion, candidates: readonly RoleCandidate[]): Promise<NodeResult[]>;
  /** Ends what is still under way. */
  close(): void;
}

interface Open {
  readonly askedAt: number;
  begun: boolean;
  answer: NodeResult | undefined;
  readonly ended: Promise<void>;
}

export function createQuestions(deps: ActivityDeps, input: AskRolesInput, attendance: Attendance): Questions {
  const open = new Map<string, Open>();
  const over = overlaid(attendance);
  let number = 0;
  let running = 0;
  const waiting: (() => void)[] = [];

  /** Every question has a job of its own, also in another attempt or scheduling of the activity: an old answer must not pass for a new one. */
  const begin = (question: RoleQuestion, candidate: RoleCandidate): Open => {
    number++;
    const { node } = candidate;
    const job = `${jobName(input.run, input.address, node.name)}.q${attendance.scheduledAtMs.toString(36)}-${attendance.attempt}-${number}`;
    const hurried = { ...node, connectWithinMs: Math.min(node.connectWithinMs, CONNECT_MS) };
    const state: Open = { askedAt: performance.now(), begun: false, answer: undefined, ended: Promise.resolve() };
    const run = async (): Promise<void> => {
      const prepared = await prepareCommand(deps, input.run, candidate.command);
      const execution = await execute(prepared, {
        place: {
          pool: nodePool(deps),
          ...hostOf(hurried, candidate.command),
          attendance: over,
          begin: 'start',
          onStarted: () => {
            state.begun = true;
          },
        },
        job,
        run: input.run,
        address: input.address,
        command: prepared.command,
        number: 1,
        timeoutMs: question.timeoutMs,
        scope: candidate.scope,
      });
      const { result } = await judgeTry(execution, rulesOf(deps, question, candidate, prepared.masker), { tries: 1, earlierTries: [] });
      state.answer = result;
    };
    const limited = async (): Promise<void> => {
      if (running >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
      running++;
      try {
        await run();
      } catch (error) {
        // Detached, or a mistake of ours in one question: it is an unknown answer, and the reason is shown.
        state.answer = unanswered(node.name, error instanceof Error ? error.message : String(error));
      } finally {
        running--;
        waiting.shift()?.();
      }
    };
    return Object.assign(state, { ended: limited() });
  };

  return {
    async ask(question, candidates) {
      const began = performance.now();
      const asked = candidates.map((candidate) => {
        const key = `${question.role}\n${candidate.node.name}`;
        const known = open.get(key);
        // A question that was too slow for the round before is not asked twice; its answer counts in the round in which it comes.
        const state = known ?? begin(question, candidate);
        open.set(key, state);
        return { key, state, node: candidate.node.name };
      });
      const isAwaited = (state: Open): boolean => {
        if (state.answer !== undefined) return false;
        const now = performance.now();
        return state.begun ? now - state.askedAt < question.timeoutMs + SLACK_MS : now - began < PATIENCE_MS;
      };
      while (attendance.stopped() === undefined && asked.some(({ state }) => isAwaited(state))) {
        await Promise.race([
          Promise.race(asked.filter(({ state }) => isAwaited(state)).map(({ state }) => state.ended)),
          pause(attendance, 100),
        ]);
      }
      return asked.map(({ key, state, node }) => {
        if (state.answer === undefined) return unanswered(node, state.begun ? 'no answer in time' : 'not reached in time');
        open.delete(key);
        return state.answer;
      });
    },
    close: over.end,
  };
}

/** The attendance of questions: a question that nobody waits for any more is cancelled on its node. */
function overlaid(attendance: Attendance): Attendance & { readonly end: () => void } {
  let ended = false;
  const callbacks = new Set<() => void>();
  return {
    attempt: attendance.attempt,
    scheduledAtMs: attendance.scheduledAtMs,
    lastDetails: undefined,
    beat: () => undefined,
    stopped: () => attendance.stopped() ?? (ended ? 'cancel' : undefined),
    onStop(callback) {
      if (ended) {
        queueMicrotask(callback);
        return () => undefined;
      }
      callbacks.add(callback);
      const forget = attendance.onStop(callback);
      return () => {
        callbacks.delete(callback);
        forget();
      };
    },
    end() {
      ended = true;
      // A callback takes itself out of the set while it is called.
      const called = Array.from(callbacks);
      callbacks.clear();
      for (const callback of called) callback();
    },
  };
}

function rulesOf(deps: ActivityDeps, question: RoleQuestion, candidate: RoleCandidate, masker: Masker | undefined) {
  return {
    node: candidate.node.name,
    expect: candidate.match,
    outputs: {},
    scope: candidate.scope,
    timeoutMs: question.timeoutMs,
    keepStdout: false,
    hashStdout: false,
    badVerdict: 'failed' as const,
    storeDir: deps.storeDir,
    masker,
  };
}

function unanswered(node: string, reason: string): NodeResult {
  return { ...blank(node, { tries: 1, earlierTries: [] }), verdict: 'broken', reason };
}
