/** One POSIX shell word that is exactly `text`, whatever it holds. A NUL cannot be a shell word: callers refuse it before. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
