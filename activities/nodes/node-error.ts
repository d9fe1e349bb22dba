/**
 * Why a node could not be used. `code`:
 * `NODE_STREAM_LOST` (shell died or did not answer: try again), `NODE_UNREACHABLE` (no shell within `connectWithinMs`),
 * `NODE_REFUSED` (the node answered that it cannot run jobs; `message` says why), `NODE_NOT_SUPPORTED` (kind of connection).
 */
export class NodeError extends Error {
  readonly code: NodeErrorCode;
  /** How long nobody should try again, ms: attempts that fail this way count against us at the other side. */
  readonly holdMs: number;
  constructor(code: NodeErrorCode, message: string, holdMs = 0) {
    super(message);
    this.name = 'NodeError';
    this.code = code;
    this.holdMs = holdMs;
  }
}

export type NodeErrorCode = 'NODE_STREAM_LOST' | 'NODE_UNREACHABLE' | 'NODE_REFUSED' | 'NODE_NOT_SUPPORTED';

/** True for a NodeError with one of the codes. */
export function isNodeError(error: unknown, ...codes: readonly NodeErrorCode[]): error is NodeError {
  return error instanceof NodeError && (codes.length === 0 || codes.includes(error.code));
}
