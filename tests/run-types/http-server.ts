import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TestServer {
  readonly url: string;
  /** Requests that came, in order: `GET /path`. */
  readonly seen: string[];
  readonly bodies: string[];
  readonly headers: IncomingMessage['headers'][];
  close(): Promise<void>;
}

/** A server on loopback that notes what comes and answers as told. */
export async function startServer(
  answer: (request: IncomingMessage, response: ServerResponse, body: string) => void,
  tls?: { readonly key: string; readonly cert: string },
): Promise<TestServer> {
  const seen: string[] = [];
  const bodies: string[] = [];
  const headers: IncomingMessage['headers'][] = [];
  const sockets = new Set<Socket>();
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    seen.push(`${request.method} ${request.url}`);
    headers.push(request.headers);
    let body = '';
    request.on('data', (piece: Buffer) => (body += piece.toString()));
    request.on('end', () => {
      bodies.push(body);
      answer(request, response, body);
    });
  };
  const server: Server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    seen,
    bodies,
    headers,
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** A certificate for 127.0.0.1 that signs itself. */
export function selfSigned(): { readonly key: string; readonly cert: string; readonly certFile: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'onetear-tls-'));
  const certFile = join(folder, 'cert.pem');
  const made = spawnSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=onetear test']
      .concat(['-addext', 'subjectAltName=IP:127.0.0.1'])
      .concat(['-keyout', join(folder, 'key.pem'), '-out', certFile]),
    { encoding: 'utf8' },
  );
  if (made.status !== 0) throw new Error(`openssl: ${made.stderr}`);
  return {
    key: readFileSync(join(folder, 'key.pem'), 'utf8'),
    cert: readFileSync(certFile, 'utf8'),
    certFile,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
