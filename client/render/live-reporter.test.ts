import { expect, test } from 'vitest';
import { palette } from './colour.ts';
import { blockLines } from './live-reporter.ts';
import { emptyView, foldEvent } from './run-view.ts';
import { fit, textWidth } from './text-width.ts';

const now = Date.parse('2026-11-24T09:00:10.000Z');
const ts = '2026-11-24T09:00:00.000Z';

function viewWith(running: number): ReturnType<typeof emptyView> {
  const view = emptyView('r');
  foldEvent(view, { type: 'run_started', ts, suite: 's', file: 'f', seed: 1, total: 100, workflow_id: 'w', url: null, results: 'd' });
  for (let index = 0; index < running; index += 1) {
    foldEvent(view, { type: 'testcase_started', ts, testcase: `case-${index}`, name: 'case', params: {}, tags: [], attempt: 1, workflow_id: 'w' });
  }
  return view;
}

const size = { columns: 40, rows: 40 };
const connected = { connected: true, since: now };

test('the block is at most eight lines, whatever runs', () => {
  for (const running of [0, 1, 6, 7, 8, 500]) {
    const lines = blockLines(viewWith(running), connected, size, palette(false), now);
    expect(lines.length).toBe(Math.min(8, running + 1));
  }
  expect(blockLines(viewWith(500), connected, size, palette(false), now).at(-2)).toBe('  … and 494 more');
});

test('a low terminal gets a third of its height', () => {
  expect(blockLines(viewWith(20), connected, { columns: 40, rows: 9 }, palette(false), now)).toHaveLength(3);
});

test('lines never exceed the width, wide characters and escapes in output included', () => {
  const view = viewWith(0);
  foldEvent(view, { type: 'testcase_started', ts, testcase: '故障転移'.repeat(20), name: 'x', params: {}, tags: [], attempt: 1, workflow_id: 'w' });
  foldEvent(view, { type: 'testcase_started', ts, testcase: 'evil\u001B[2J\u0007', name: 'x', params: {}, tags: [], attempt: 1, workflow_id: 'w' });
  for (const line of blockLines(view, connected, size, palette(false), now)) {
    expect(textWidth(line)).toBeLessThan(40);
    expect(line).not.toMatch(/\u001B|\u0007/);
  }
});

test('says since when the server is away', () => {
  const lines = blockLines(viewWith(0), { connected: false, since: now - 42_000 }, { columns: 100, rows: 40 }, palette(false), now);
  expect(lines.at(-1)).toContain('disconnected for 00:42, the run continues');
});

test('an undone fault leaves the block', () => {
  const view = viewWith(0);
  const fault = { type: 'fault', ts, testcase: 't', step: 'kill', name: 'kill', node: 'n1', id: 'f', reason: null, undo: null } as const;
  foldEvent(view, { ...fault, state: 'verified' });
  expect(blockLines(view, connected, size, palette(false), now)[0]).toContain('kill on n1 verified 00:10');
  foldEvent(view, { ...fault, state: 'recovered' });
  expect(blockLines(view, connected, size, palette(false), now)).toHaveLength(1);
});

test('fit counts columns, not characters', () => {
  expect(fit('故障転移', 8)).toBe('故障転移');
  expect(fit('故障転移', 7)).toBe('故障転…');
  expect(fit('abc', 3)).toBe('abc');
  expect(fit('abcd', 3)).toBe('ab…');
});
