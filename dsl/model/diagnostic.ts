import type { Location } from './location.ts';

/**
 * One problem of a suite text, found before anything runs.
 * `code` is stable (`SUITE_UNKNOWN_KEY`, `SUITE_NOT_SUPPORTED`, …) and has a section in docs/diagnostics.md.
 */
export interface Diagnostic {
  readonly code: string;
  /** `error` stops the suite; `warning` is shown by `validate` and `plan` only. */
  readonly severity: 'error' | 'warning';
  /** One sentence: what is wrong, in the user's words. */
  readonly message: string;
  readonly location: Location;
  /** Number of characters to underline in the frame; default 1. */
  readonly length?: number;
  /** How to fix it; absent when the message already says so. */
  readonly hint?: string;
}
