import { isNodeError, NodeError } from './node-error.ts';
import type { NodeSession } from './node-session.ts';

/** The one session to a node as one user: opened when somebody wants it, again when it was lost. */
export interface SessionSlot {
  /**
   * Waits up to `withinMs` for an open session. All who wait share the attempts to open it; each has a patience of its own.
   * Rejects with NODE_UNREACHABLE and the last trouble when the time is over, at once with NODE_REFUSED when no attempt can do better.
   */
  session(withinMs: number): Promise<NodeSession>;
  close(): void;
}

const BACKOFF_FIRST_MS = 200;
const BACKOFF_MAX_MS = 15_000;

/**
 * `open` makes one attempt and notes what it waits for, for those whose patience ends first. Rejections with NODE_STREAM_LOST are followed by
 * another attempt, after a random wait that grows.
 */
export function createSessionSlot(open: (note: (waitsFor: string) => void) => Promise<NodeSession>): SessionSlot {
  let current: NodeSession | undefined;
  let attempt: Promise<NodeSession> | undefined;
  let failures = 0;
  /** Monotonic ms before which no attempt is made. */
  let notBefore = 0;
  let lastTrouble: NodeError | undefined;
  let waitsFor = 'no answer yet';
  let closed = false;

  const begin = (): Promise<NodeSession> => {
    const opening = open((text) => (waitsFor = text));
    attempt = opening;
    opening.then(
      (session) => {
        attempt = undefined;
        failures = 0;
        notBefore = 0;
        lastTrouble = undefined;
        if (closed) session.close();
        else current = session;
      },
      (error: unknown) => {
        attempt = undefined;
        if (!isNodeError(error)) return;
        lastTrouble = error;
        if (error.code === 'NODE_STREAM_LOST') {
          // Full jitter: nodes that fail together must not come back together.
          notBefore = performance.now() + Math.random() * Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** failures);
          failures++;
        } else notBefore = performance.now() + error.holdMs;
      },
    );
    return opening;
  };

  return {
    async session(withinMs) {
      const deadline = performance.now() + withinMs;
      for (;;) {
        if (current?.stream.open === true) return current;
        current = undefined;
        const now = performance.now();
        if (attempt === undefined && now < notBefore) {
          if (lastTrouble !== undefined && lastTrouble.code !== 'NODE_STREAM_LOST') throw lastTrouble;
          const waitMs = Math.min(notBefore, deadline) - now;
          if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
        } else {
          let timer: NodeJS.Timeout | undefined;
          try {
            const over = new Promise<undefined>((resolve) => {
              timer = setTimeout(resolve, Math.max(0, deadline - now), undefined);
            });
            const session = await Promise.race([attempt ?? begin(), over]);
            if (session?.stream.open === true) return session;
          } catch (error) {
            if (!isNodeError(error, 'NODE_STREAM_LOST')) throw error;
          } finally {
            clearTimeout(timer);
          }
        }
        if (performance.now() >= deadline) {
          const trouble = lastTrouble?.message ?? waitsFor;
          throw new NodeError('NODE_UNREACHABLE', `${trouble} (tried for ${Math.round(withinMs / 100) / 10} s)`);
        }
      }
    },
    close() {
      closed = true;
      current?.close();
      current = undefined;
    },
  };
}
