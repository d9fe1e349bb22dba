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

export interface LinkOptions<S> {
  /** A new connection; in embedded mode that restarts a dead keeper. */
  readonly reopen: () => Promise<S>;
  /** Called every two seconds while the server answers. */
  readonly keepAlive: () => Promise<void>;
  readonly onState: (state: LinkState) => void;
  /** The link lives until this is aborted. */
  readonly signal: AbortSignal;
}

/** gRPC status codes that say nothing about the request: the server or the way to it is not there. */
const AWAY: ReadonlySet<number> = new Set([
  1, // CANCELLED: our connection was replaced, or a server shuts down
  4, // DEADLINE_EXCEEDED
  8, // RESOURCE_EXHAUSTED
  13, // INTERNAL: a broken HTTP/2 stream
  14, // UNAVAILABLE
]);

const HEALTH_EVERY_MS = 2000;
const HEALTH_DEADLINE_MS = 3000;

/** Whether a failed call should be repeated: the durable run does not care that we could not look. */
export function isServerAway(error: unknown): boolean {
  if (isGrpcServiceError(error)) return AWAY.has(error.code);
  // The SDK wraps some failures, and calls on a channel that was closed under them are plain errors.
  return error instanceof Error && (isServerAway(error.cause) || /channel has been shut down/i.test(error.message));
}

/**
 * Keeps one connection for all who follow. The SDK repeats a call for some twenty seconds before it gives up, so a health check beside
 * the calls notices a lost server; then `reopen` is called until it gives a new connection, and calls on the old one are cut.
 */
export function createServerLink<S extends LinkedServer>(
  first: S,
  { reopen, keepAlive, onState, signal: life }: LinkOptions<S>,
): ServerLink<S> {
  let current = first;
  let awaySince: number | undefined;
  let reopening: Promise<void> | undefined;

  const isHealthy = async (server: S): Promise<boolean> => {
    try {
      await server.connection.withDeadline(Date.now() + HEALTH_DEADLINE_MS, () => server.connection.workflowService.getSystemInfo({}));
      return true;
    } catch (error) {
      // Any other answer comes from a server that is there; the call that asked for something tells what is wrong.
      return !isServerAway(error);
    }
  };

  const reopenLoop = async (): Promise<void> => {
    awaySince = Date.now();
    for (let round = 0; ; round += 1) {
      onState({ connected: false, since: awaySince });
      // Full jitter: many followers of one server must not come back in step.
      await sleep(Math.random() * Math.min(5000, 200 * 2 ** Math.min(round, 5)), undefined, { signal: life });
      let opened: S;
      try {
        opened = await reopen();
      } catch (error) {
        life.throwIfAborted();
        // A follower waits for ever: the run is durable, only our view of it is not. The next round says how long it has been.
        if (error instanceof Error) continue;
        throw error;
      }
      const lost = current;
      current = opened;
      awaySince = undefined;
      onState({ connected: true, since: Date.now() });
      await lost.connection.close();
      return;
    }
  };
  const lost = (server: S): Promise<void> => {
    if (server !== current) return Promise.resolve();
    reopening ??= reopenLoop().finally(() => {
      reopening = undefined;
    });
    return reopening;
  };

  const watchHealth = async (): Promise<void> => {
    for (;;) {
      await sleep(HEALTH_EVERY_MS, undefined, { signal: life });
      const server = current;
      if (await isHealthy(server)) await keepAlive();
      else await lost(server);
    }
  };
  watchHealth().catch((error: unknown) => {
    if (!life.aborted) throw error;
  });

  return {
    server: () => current,
    call: async (deadlineMs, signal, request) => {
      for (;;) {
        signal.throwIfAborted();
        const server = current;
        try {
          return await withCallSignal(signal, (own) =>
            server.connection.withAbortSignal(own, () => server.connection.withDeadline(Date.now() + deadlineMs, () => request(server))),
          );
        } catch (error) {
          signal.throwIfAborted();
          if (!isServerAway(error)) throw error;
          // A deadline alone may be a slow server: only a failed health check costs the connection.
          if (server === current && !(await isHealthy(server))) await lost(server);
        }
      }
    },
  };
}

/** A signal for one call: the SDK never takes its listener off a signal again, and ours lives as long as the run. */
async function withCallSignal<T>(signal: AbortSignal, call: (own: AbortSignal) => Promise<T>): Promise<T> {
  const own = new AbortController();
  const abort = (): void => own.abort(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await call(own.signal);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
