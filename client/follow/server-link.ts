import { setTimeout as sleep } from 'node:timers/promises';
import { isGrpcServiceError, type Connection } from '@temporalio/client';

/** What a link needs of an open server. */
export interface LinkedServer {
  readonly connection: Connection;
  readonly namespace: string;
}

export interface ServerLink<S extends LinkedServer> {
  /** The server at this moment; may be a dead one. */
  readonly server: () => S;
  /**
   * Makes one call and repeats it for as long as the server cannot be reached, through new connections where needed.
   * Every other failure is thrown. `deadlineMs` limits one call, not the waiting. Rejects with the signal's reason when aborted.
   */
  readonly call: <T>(deadlineMs: number, signal: AbortSignal, request: (server: S) => Promise<T>) => Promise<T>;
}

export interface LinkState {
  readonly connected: boolean;
  /** Since when it has been so, epoch ms. */
  readonly since: number;
}

/** gRPC status codes that say nothing about the request: the server or the way to it is not there. */
const AWAY: ReadonlySet<number> = new Set([
  1, // CANCELLED by a server that shuts down
  4, // DEADLINE_EXCEEDED
  8, // RESOURCE_EXHAUSTED
  13, // INTERNAL: a broken HTTP/2 stream
  14, // UNAVAILABLE
]);

/** Whether a failed call should be repeated: the durable run does not care that we could not look. */
export function isServerAway(error: unknown): boolean {
  return isGrpcServiceError(error) && AWAY.has(error.code);
}

/**
 * Keeps one connection for all who follow. When a call finds the server away, `reopen` is called until it gives a new
 * one (in embedded mode that restarts a dead keeper); calls that wait share the one reopening.
 */
export function createServerLink<S extends LinkedServer>(
  first: S,
  reopen: (signal: AbortSignal) => Promise<S>,
  onState: (state: LinkState) => void,
): ServerLink<S> {
  let current = first;
  let away: number | undefined;
  let reopening: Promise<void> | undefined;

  const markConnected = (): void => {
    if (away === undefined) return;
    away = undefined;
    onState({ connected: true, since: Date.now() });
  };

  const reopenLoop = async (lost: S, signal: AbortSignal): Promise<void> => {
    for (let round = 0; current === lost; round += 1) {
      // Full jitter: many followers of one server must not come back in step.
      await sleep(Math.random() * Math.min(5000, 200 * 2 ** Math.min(round, 5)), undefined, { signal });
      try {
        const opened = await reopen(signal);
        current = opened;
        if (opened.connection !== lost.connection) await lost.connection.close();
        return;
      } catch (error) {
        if (signal.aborted) throw error;
        // Not there yet. A follower waits for ever: the run is durable, only our view of it is not.
        onState({ connected: false, since: away ?? Date.now() });
      }
    }
  };

  return {
    server: () => current,
    call: async (deadlineMs, signal, request) => {
      for (;;) {
        signal.throwIfAborted();
        const server = current;
        try {
          const answer = await server.connection.withAbortSignal(signal, () =>
            server.connection.withDeadline(Date.now() + deadlineMs, () => request(server)),
          );
          markConnected();
          return answer;
        } catch (error) {
          signal.throwIfAborted();
          if (!isServerAway(error)) throw error;
          if (away === undefined) {
            away = Date.now();
            onState({ connected: false, since: away });
          }
          reopening ??= reopenLoop(server, signal).finally(() => {
            reopening = undefined;
          });
          await reopening;
        }
      }
    },
  };
}
