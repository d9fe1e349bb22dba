/**
 * A definition cannot be turned into something that runs. Found at compile time where possible; inside a run it makes the step `broken`.
 * Codes: `UNKNOWN_COMMAND`, `UNKNOWN_CHAOS`, `MISSING_INPUT`, `UNKNOWN_INPUT`, `SECRET_IN_LIST`, `NOT_A_NODE`, `NO_NODE`, `BAD_VALUE`, `SECRET_VALUE`, `NOT_SUPPORTED`.
 */
export class ExpandError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'ExpandError';
    this.code = code;
  }
}
