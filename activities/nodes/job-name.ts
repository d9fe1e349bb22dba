import { createHash } from 'node:crypto';

import type { RunInfo, StepAddress } from '../../dsl/model/workflow-io.ts';

/**
 * Name of the jobs of one step on one node: `<run>/ot-<base32>`, from what the step *is*, never from an attempt or run id of Temporal,
 * so that the next attempt, a reset or a continue-as-new finds the same jobs. Tries add `.t<k>`, samples `.s<k>`, recoveries `.r<k>`.
 */
export function jobName(run: RunInfo, address: StepAddress, node: string): string {
  const parts = [run.run, String(run.iteration ?? 0), address.testcase, String(address.attempt), address.phase, address.step, node];
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest();
  return `${run.run}/ot-${base32(digest.subarray(0, 15))}`;
}

/** Lower-case base32 without look-alikes of numbers as a whole: an id never reads as a number. */
function base32(bytes: Uint8Array): string {
  const letters = 'abcdefghijklmnopqrstuvwxyz234567';
  let text = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += letters[(value >> bits) & 31];
      value &= (1 << bits) - 1;
    }
  }
  return text;
}
