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

/** Takes over SIGINT, SIGTERM and SIGHUP until the returned function is called. */
export function watchInterrupts(policy: InterruptPolicy): () => void {
  let state: 'following' | 'asked' | 'cancelling' = 'following';
  let timer: NodeJS.Timeout | undefined;

  const cancel = (): void => {
    clearTimeout(timer);
    state = 'cancelling';
    policy.onCancel();
  };
  const onInterrupt = (): void => {
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

  process.on('SIGINT', onInterrupt);
  process.on('SIGTERM', onTerminate);
  process.on('SIGHUP', onTerminate);
  return () => {
    clearTimeout(timer);
    process.off('SIGINT', onInterrupt);
    process.off('SIGTERM', onTerminate);
    process.off('SIGHUP', onTerminate);
  };
}

/** True in CI, by the variable that all of them set. */
export function isCi(env: { readonly [name: string]: string | undefined }): boolean {
  const value = env['CI'];
  return value !== undefined && value !== '' && value !== '0' && value !== 'false';
}
