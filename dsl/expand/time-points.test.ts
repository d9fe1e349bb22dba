import { expect, it } from 'vitest';

import { resolveTimePoints } from './time-points.ts';

const marks = new Map([
  ['testcase.started', 1_000],
  ['kill#2.recovered', 61_500],
]);

it('marks in time become seconds, other moments stay', () => {
  expect(resolveTimePoints('logs', { path: 'a', since: 'testcase.started' }, marks)).toEqual({ path: 'a', since: 1 });
  expect(resolveTimePoints('logs', { path: 'a', since: '5m' }, marks)).toEqual({ path: 'a', since: '5m' });
  expect(resolveTimePoints('prometheus', { range: { from: 'testcase.started', until: 'kill#2.recovered', step: '1s' } }, marks)).toEqual({
    range: { from: 1, until: 61.5, step: '1s' },
  });
  expect(resolveTimePoints('prometheus', { range: '5m' }, marks)).toEqual({ range: '5m' });
  expect(resolveTimePoints('http', { url: 'kill.started', since: 'kill.started' }, marks)).toEqual({
    url: 'kill.started',
    since: 'kill.started',
  });
});

it('a mark that has not come is an error with its name', () => {
  expect(() => resolveTimePoints('logs', { since: 'kill.started' }, marks)).toThrow('since: kill.started has not come');
  expect(() => resolveTimePoints('logs', { since: 'kill.started' }, undefined)).toThrow('kill.started');
});
