import { describe, expect, test } from 'vitest';
import { parseTemporalVersion } from './temporal-binary.ts';

describe('parseTemporalVersion', () => {
  test('reads CLI and server version', () => {
    expect(parseTemporalVersion('/bin/temporal', 'temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)')).toEqual({
      path: '/bin/temporal',
      cliVersion: '1.9.1',
      serverVersion: '1.32.0',
    });
    expect(parseTemporalVersion('/t', 'temporal version 1.10.0-rc.1 (Server 1.33.0-154.2, UI 2.60.0)')).toMatchObject({
      cliVersion: '1.10.0-rc.1',
      serverVersion: '1.33.0-154.2',
    });
  });

  test.each([
    ['temporal version 1.4.0 (Server 1.28.2, UI 2.40.0)', 'its server is 1.28.2, needed is 1.29 or later (1.x)'],
    ['temporal version 3.0.0 (Server 2.0.0, UI 3.0.0)', 'its server is 2.0.0, needed is 1.29 or later (1.x)'],
    ['temporal-chess 7', 'not a Temporal CLI, its version is "temporal-chess 7"'],
    ['', 'not a Temporal CLI, its version is ""'],
  ])('refuses %j', (text, problem) => {
    expect(parseTemporalVersion('/t', text)).toEqual({ problem });
  });
});
