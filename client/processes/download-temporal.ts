import { createHash } from 'node:crypto';
import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { get as getHttp } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { get as getHttps } from 'node:https';
import path from 'node:path';
import { createGunzip } from 'node:zlib';
import type { InstallTarget } from './locate-temporal.ts';
import { TEMPORAL_CHECKSUMS } from './temporal-checksums.ts';
import { extractFile } from './extract-file.ts';

/** Where the archive comes from and what the program in it must hash to. */
export interface DownloadSource {
  /** Without a trailing slash; `ONETEAR_TEMPORAL_DOWNLOAD_URL` names a mirror. */
  readonly baseUrl: string;
  /** `<cli version>/<platform>-<arch>` → SHA-256 (hex) of the `temporal` program. */
  readonly checksums: { readonly [key: string]: string };
}

export const VENDOR_SOURCE: DownloadSource = { baseUrl: 'https://temporal.download', checksums: TEMPORAL_CHECKSUMS };

const CONNECT_TIMEOUT_MS = 5000;
const STALL_TIMEOUT_MS = 20_000;
const MAX_PROGRAM_BYTES = 500 * 1024 * 1024;
const MAX_REDIRECTS = 5;

/**
 * Downloads the vendor's archive and keeps the program in it, only if that hashes to what is shipped with us. The file appears under its
 * name whole and verified or not at all. Rejects with a reason: no checksum for this platform, status, network, cut archive, wrong hash.
 */
export async function downloadTemporal(options: InstallTarget & { readonly source: DownloadSource }): Promise<void> {
  const platform = platformName();
  const expected = options.checksum;
  if (expected === undefined) throw new Error(`not tried: no checksum of version ${options.version} for ${platform} is known`);
  const [os = '', arch = ''] = platform.split('-');
  const url = `${options.source.baseUrl.replace(/\/+$/, '')}/cli/archive/v${options.version}?platform=${os}&arch=${arch}`;
  const response = await request(url, MAX_REDIRECTS);
  options.onProgress(`downloading the Temporal CLI ${options.version} from ${new URL(url).host} (once)`);
  mkdirSync(path.dirname(options.target), { recursive: true });
  const temporary = `${options.target}.download-${process.pid}`;
  try {
    const actual = await unpack(response, temporary);
    if (actual !== expected) throw new Error(`refused: the program from ${url} hashes to ${actual}, not to ${expected}`);
    chmodSync(temporary, 0o755);
    renameSync(temporary, options.target);
  } finally {
    response.destroy();
    rmSync(temporary, { force: true });
  }
}

/** `linux-amd64` and the like, in the vendor's words. */
export function platformName(): string {
  const arch = { x64: 'amd64', arm64: 'arm64' }[process.arch as string] ?? process.arch;
  return `${process.platform}-${arch}`;
}

/** Writes the member `temporal` of a .tar.gz stream to a file and returns its SHA-256. */
async function unpack(response: IncomingMessage, file: string): Promise<string> {
  const hash = createHash('sha256');
  const gunzip = createGunzip();
  response.once('error', (error) => gunzip.destroy(error));
  response.once('aborted', () => gunzip.destroy(new Error('the connection broke before the archive was whole')));
  const descriptor = openSync(file, 'wx', 0o600);
  try {
    await extractFile(response.pipe(gunzip), 'temporal', MAX_PROGRAM_BYTES, (chunk) => {
      hash.update(chunk);
      for (let at = 0; at < chunk.length;) at += writeSync(descriptor, chunk, at);
    });
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  return hash.digest('hex');
}

function request(url: string, redirects: number): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const get = url.startsWith('https:') ? getHttps : getHttp;
    const started = get(url, { headers: { 'user-agent': 'onetear' } }, (response) => {
      clearTimeout(connecting);
      const { statusCode = 0, headers } = response;
      if (statusCode === 200) {
        response.setTimeout(STALL_TIMEOUT_MS, () => response.destroy(new Error(`no data from ${url} for ${STALL_TIMEOUT_MS / 1000} s`)));
        resolve(response);
        return;
      }
      response.resume();
      if (statusCode >= 300 && statusCode < 400 && headers.location && redirects > 0) {
        const next = new URL(headers.location, url);
        // A hash decides in the end, but there is no reason to let anybody read along.
        if (url.startsWith('https:') && next.protocol !== 'https:') reject(new Error(`${url} redirects to plain ${next.href}`));
        else resolve(request(next.href, redirects - 1));
        return;
      }
      reject(new Error(`${url} answered ${statusCode}`));
    });
    const connecting = setTimeout(() => started.destroy(new Error('no answer')), CONNECT_TIMEOUT_MS);
    started.once('error', (error) => {
      clearTimeout(connecting);
      reject(new Error(`${url} cannot be reached: ${error.message}`, { cause: error }));
    });
  });
}
