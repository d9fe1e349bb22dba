import type { RunEvent } from '../../dsl/model/events.ts';
import type { LinkState } from '../follow/server-link.ts';

/** Shows a run to somebody. Gets every event of the stream in order, each once. */
export interface Reporter {
  readonly event: (event: RunEvent) => void;
  /** The server went away or came back; the run does not care. */
  readonly link: (state: LinkState) => void;
  /** A line for people, beside the events. */
  readonly note: (text: string) => void;
  /** Ends it: clears what was drawn. Safe to call twice. */
  readonly close: () => void;
}
