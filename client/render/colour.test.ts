import { expect, test } from 'vitest';
import { wantsColour } from './colour.ts';

test.each([
  ['a terminal', { isTty: true, env: {} }, true],
  ['a pipe', { isTty: false, env: {} }, false],
  ['a dumb terminal', { isTty: true, env: { TERM: 'dumb' } }, false],
  ['NO_COLOR', { isTty: true, env: { NO_COLOR: '1' } }, false],
  ['an empty NO_COLOR counts as unset', { isTty: true, env: { NO_COLOR: '' } }, true],
  ['FORCE_COLOR in a pipe', { isTty: false, env: { FORCE_COLOR: '1' } }, true],
  ['FORCE_COLOR=0 on a terminal', { isTty: true, env: { FORCE_COLOR: '0' } }, false],
  ['NO_COLOR outranks FORCE_COLOR', { isTty: true, env: { NO_COLOR: '1', FORCE_COLOR: '1' } }, false],
  ['CI alone is no colour', { isTty: false, env: { CI: 'true' } }, false],
  ['GitHub Actions is', { isTty: false, env: { GITHUB_ACTIONS: 'true' } }, true],
  ['--color outranks NO_COLOR', { flag: true, isTty: false, env: { NO_COLOR: '1' } }, true],
  ['--no-color outranks FORCE_COLOR', { flag: false, isTty: true, env: { FORCE_COLOR: '1' } }, false],
])('%s', (_name, choice, expected) => {
  expect(wantsColour(choice)).toBe(expected);
});
