/**
 * Codes of this room, for the CLI to choose its exit code by:
 * `TEMPORAL_UNREACHABLE` no server answers (exit 11) · `TEMPORAL_NOT_FOUND` no `temporal` binary could be had ·
 * `TEMPORAL_CONFIG` the user's Temporal configuration cannot be used · `KEEPER_FAILED` our own processes do not come up ·
 * `ENCRYPTION_KEYS` keys cannot be read, or are not those of the worker · `PAYLOAD_REFUSED` something cannot be decrypted ·
 * `NO_WORKER` nobody polls the task queue and `--no-worker` forbids to start one · `LOCK_TIMEOUT` another process holds a lock too long.
 */
export type ProcessErrorCode =
  | 'TEMPORAL_UNREACHABLE'
  | 'TEMPORAL_NOT_FOUND'
  | 'TEMPORAL_CONFIG'
  | 'KEEPER_FAILED'
  | 'NO_WORKER'
  | 'LOCK_TIMEOUT'
  | 'ENCRYPTION_KEYS'
  | 'PAYLOAD_REFUSED';

/** An error for people: the message says what to do. */
export function processError(code: ProcessErrorCode, message: string, cause?: unknown): Error & { code: ProcessErrorCode } {
  return Object.assign(new Error(message, cause === undefined ? {} : { cause }), { code });
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
