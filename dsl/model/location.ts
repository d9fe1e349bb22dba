/** A place in a suite text. Lines and columns are 1-based, as editors and terminals count. */
export interface Location {
  /** File as the user named it, relative to the folder of the main suite for includes. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}
