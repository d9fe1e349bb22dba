/** What Ctrl-C means for the one who follows a run. */
export interface InterruptPolicy {
  /**
   * `ask`: the first one offers to cancel and detaches after 2 s (a terminal); `cancel`: the first one cancels (CI, nobody
   * will come back to watch); `detach`: it only detaches (`watch`).
   */
  readonly first: 'ask' | 'cancel' | 'detach';
  /** The first Ctrl-C under `ask`: say what happens next. */
  readonly onAsk: () => void;
  /** End the run; then go on following it to its end. */
  readonly onCancel: () => void;
  /** Stop following; the run goes on. */
  readonly onDetach: () => void;
}

export const SECOND_CTRL_C_WITHIN_MS = 2000;

/** A wrapper in our process group may forward the Ctrl-C that the terminal has already sent to us. */
const ECHO_MS = 100;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Takes over SIGINT, SIGTERM and SIGHUP until the returned function is called. */
export function watchInterrupts(policy: InterruptPolicy): () => void {
  let state: 'following' | 'asked' | 'cancelling' = 'following';
  let timer: NodeJS.Timeout | undefined;
  let lastAt = 0;

  const cancel = (): void => {
    clearTimeout(timer);
    state = 'cancelling';
    policy.onCancel();
  };
  const onInterrupt = (): void => {
    const now = Date.now();
    const isEcho = now - lastAt < ECHO_MS;
    lastAt = now;
    if (isEcho) return;
    if (state === 'cancelling' || (state === 'following' && policy.first === 'detach')) policy.onDetach();
    else if (state === 'asked' || policy.first === 'cancel') cancel();
    else {
      state = 'asked';
      policy.onAsk();
      timer = setTimeout(policy.onDetach, SECOND_CTRL_C_WITHIN_MS);
    }
  };
  const onTerminate = (): void => {
    if (policy.first === 'cancel' && state === 'following') cancel();
    else policy.onDetach();
  };

  const listenerOf = (signal: (typeof SIGNALS)[number]): (() => void) => (signal === 'SIGINT' ? onInterrupt : onTerminate);
  for (const signal of SIGNALS) process.on(signal, listenerOf(signal));
  return () => {
    clearTimeout(timer);
    for (const signal of SIGNALS) process.off(signal, listenerOf(signal));
  };
}

/**
 * Keeps signals for later while a run is being started: dying between the start call and its answer would leave a run that nobody
 * knows of. The returned function hands them to whoever listens by then.
 */
export function holdInterrupts(): () => void {
  const held: NodeJS.Signals[] = [];
  const hold = (signal: NodeJS.Signals): void => {
    held.push(signal);
  };
  for (const signal of SIGNALS) process.on(signal, hold);
  return () => {
    for (const signal of SIGNALS) process.off(signal, hold);
    for (const signal of held) process.emit(signal);
  };
}

/** True in CI, by the variable that all of them set. */
export function isCi(env: { readonly [name: string]: string | undefined }): boolean {
  const value = env['CI'];
  return value !== undefined && value !== '' && value !== '0' && value !== 'false';
}
