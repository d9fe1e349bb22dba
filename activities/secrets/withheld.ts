import type { Masker } from './masker.ts';

const NOTICE = '(output withheld: a secret of the suite is not known on this worker)';

/** Stands in where output cannot be masked: nothing of it is told. */
export const WITHHELD: Masker = {
  text: (text) => (text === '' ? '' : NOTICE),
  message: (text) => (text === '' ? '' : NOTICE),
  // Values beside the output (reasons, numbers) are made by us.
  value: (value) => value,
  stream() {
    let seen = false;
    return {
      push(piece) {
        seen ||= piece.length > 0;
        return Buffer.alloc(0);
      },
      end: () => Buffer.from(seen ? NOTICE : ''),
      get masked() {
        return seen;
      },
    };
  },
};
