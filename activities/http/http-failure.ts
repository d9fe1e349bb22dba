/** Why there is no answer, or only a part of one. Exit codes are those of curl. */
export interface HttpFailure {
  readonly exitCode: number;
  readonly why: string;
  /** It was sent, and nobody knows whether it took effect. */
  readonly unknown: boolean;
}

const NO_NAME: ReadonlySet<string> = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA', 'EAI_NONAME']);
const BAD_CERTIFICATE =
  /^(?:CERT_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT|UNABLE_TO_|ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE)/u;

/** What an error of the client means, told by how far the request had come: before the connection stood, nothing was sent. */
export function httpFailure(
  error: unknown,
  state: { readonly connected: boolean; readonly answered: boolean; readonly secure: boolean },
): HttpFailure {
  const { code, message } = describe(error);
  if (code === 'UND_ERR_INVALID_ARG') return { exitCode: 3, why: `it cannot be sent: ${message}`, unknown: false };
  if (!state.connected) {
    if (NO_NAME.has(code)) return { exitCode: 6, why: message, unknown: false };
    if (BAD_CERTIFICATE.test(code)) return { exitCode: 60, why: `the certificate is not trusted: ${message} (${code})`, unknown: false };
    if (/^(?:ERR_SSL|EPROTO|ERR_TLS)/u.test(code) || (state.secure && code === 'ECONNRESET')) {
      return { exitCode: 35, why: `no TLS connection: ${message}`, unknown: false };
    }
    return { exitCode: 7, why: message, unknown: false };
  }
  if (state.answered) return { exitCode: 56, why: `the answer broke off: ${message}`, unknown: true };
  if (code.startsWith('HPE_') || (error instanceof Error && error.name === 'HTTPParserError'))
    return { exitCode: 1, why: `the answer is not HTTP: ${message}`, unknown: true };
  return { exitCode: 52, why: `no answer: ${message}`, unknown: true };
}

/** Code and text; several addresses that were tried are one error each. */
function describe(error: unknown): { readonly code: string; readonly message: string } {
  if (error instanceof AggregateError && error.errors.length > 0) {
    const all = error.errors.map(describe);
    return { code: all[0]?.code ?? '', message: all.map(({ message }) => message).join('; ') };
  }
  if (!(error instanceof Error)) return { code: '', message: String(error) };
  const { code, cause } = error as Error & { readonly code?: unknown };
  // The client's own words ("fetch failed", "other side closed") hide what the system said.
  if (cause instanceof Error && (typeof code !== 'string' || code.startsWith('UND_ERR'))) return describe(cause);
  return { code: typeof code === 'string' ? code : '', message: error.message === '' && typeof code === 'string' ? code : error.message };
}
