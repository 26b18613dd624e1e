/**
 * The status page of a campaign: `/` for people, `/status.json` for programs. Nothing can be changed through it; it listens on
 * loopback unless it is told otherwise.
 */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { usageError } from '../cli-error.ts';
import type { CampaignView } from './campaign-view.ts';
import { STATUS_HTML } from './status-html.ts';

/** A page that is served. */
export interface StatusPage {
  readonly url: string;
  close(): Promise<void>;
}

const CONTENT_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'";

/**
 * Serves it. @param port 0: any that is free.
 * @throws CliError (usage) when the port or the address is not to be had.
 */
export async function serveStatus(
  host: string,
  port: number,
  view: () => Promise<CampaignView>,
): Promise<StatusPage> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0];
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return answer(response, 405, 'text/plain', 'GET only\n');
    if (path === '/') return answer(response, 200, 'text/html', STATUS_HTML);
    if (path !== '/status.json') return answer(response, 404, 'text/plain', 'there is / and /status.json\n');
    view().then(
      (document) => answer(response, 200, 'application/json', `${JSON.stringify(document)}\n`),
      () => answer(response, 503, 'text/plain', 'Redis does not answer\n'),
    );
  });
  await listen(server, host, port);
  const { port: given } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${given}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(usageError(`--status-port: ${host}:${port}: ${error.code ?? error.message}`));
    });
    server.listen(port, host, resolve);
  });
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    'content-type': `${type}; charset=utf-8`,
    'cache-control': 'no-store',
    'content-security-policy': CONTENT_POLICY,
    'x-content-type-options': 'nosniff',
  });
  response.end(body);
}
