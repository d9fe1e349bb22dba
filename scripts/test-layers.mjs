// The layers of `npm test`, in the order in which they run. `needs` names what scripts/test-needs.mjs can install or find;
// `long` layers run only with --long. A vitest layer is a list of folders; a command layer prints `N passed, N failed[, N skipped]`.
export const layers = [
  { name: 'lint', kind: 'checks' },
  {
    name: 'unit',
    kind: 'vitest',
    folders: ['dsl', 'workflows', 'activities', 'report', 'telemetry', 'worker', 'client'],
    needs: ['shells'],
  },
  { name: 'goldens', kind: 'vitest', folders: ['tests/goldens'] },
  { name: 'bundle', kind: 'vitest', folders: ['tests/bundle'] },
  { name: 'replay', kind: 'vitest', folders: ['tests/replay'] },
  { name: 'reports', kind: 'vitest', folders: ['tests/report'], needs: ['xmllint'] },
  { name: 'nodes', kind: 'vitest', folders: ['tests/nodes'], needs: ['shells'] },
  // Real databases, a real Prometheus, a real web server.
  { name: 'run-types', kind: 'vitest', folders: ['tests/run-types'], needs: ['temporal', 'openssl', 'postgres', 'mariadb', 'prometheus'] },
  { name: 'ssh', kind: 'vitest', folders: ['tests/ssh'], needs: ['shells', 'sshd', 'temporal'] },
  { name: 'download', kind: 'vitest', folders: ['tests/download'] },
  { name: 'workflows', kind: 'vitest', folders: ['tests/workflows'], needs: ['temporal'] },
  { name: 'processes', kind: 'vitest', folders: ['tests/processes'], needs: ['temporal'] },
  { name: 'cli', kind: 'vitest', folders: ['tests/cli'], needs: ['temporal'] },
  { name: 'secrets', kind: 'vitest', folders: ['tests/secrets'], needs: ['temporal'] },
  { name: 'crash', kind: 'vitest', folders: ['tests/crash'], needs: ['temporal'] },
  { name: 'conformance', kind: 'command', command: ['scripts/conformance.mjs'], needs: ['temporal', 'python'] },
  { name: 'examples', kind: 'vitest', folders: ['tests/examples'], needs: ['temporal', 'repmgr', 'sshd'] },
  { name: 'fresh-clone', kind: 'vitest', folders: ['tests/fresh-clone'], needs: ['git'] },
];
