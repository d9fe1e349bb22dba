/** Milliseconds as `00:42` or `1:02:03`, for what still goes on. */
export function clockText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (value: number): string => String(value).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
}

/** What a follower says while the server is away, and when it is back. */
export function linkText(state: { readonly connected: boolean; readonly since: number }, now: number = Date.now()): string {
  return state.connected ? 'connected again' : `disconnected for ${clockText(now - state.since)}, the run continues`;
}
