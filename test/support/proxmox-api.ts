// Stands in for pveproxy: TLS with a certificate of its own, API tokens (looked up in a map), /cluster/resources, and Proxmox's ways to
// refuse and to fail: 401 after a while, 403, 595 for a node that is down, an answer that never ends or comes, rubbish.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

export type Mood = 'well' | 'forbidden' | 'node down' | 'broken' | 'silent' | 'rubbish' | 'wrong shape' | 'flood' | 'html';

export interface FakeApi {
  port: number;
  mood: Mood;
  /** the certificate as `local/pve-ssl.pem` has it */
  certificate: string;
  /** token id → secret, those that are good now */
  tokens: Map<string, string>;
  /** what /cluster/resources holds */
  guests: object[];
  /** what was asked: path and who, without the secret */
  asked: string[];
  close(): Promise<void>;
}

const json = { 'Content-Type': 'application/json;charset=UTF-8' };

const moods: Record<Mood, (response: ServerResponse, api: FakeApi) => void> = {
  well: (response, { guests }) => response.writeHead(200, 'OK', json).end(JSON.stringify({ data: guests })),
  forbidden: (response) => response.writeHead(403, 'Permission check failed (/vms, VM.Audit)', json).end('{"data":null}'),
  'node down': (response) => response.writeHead(595, 'Connection refused', json).end('{"data":null}'),
  broken: (response) => response.writeHead(500, 'got no worker upid - start worker failed', json).end('{"data":null}'),
  silent: () => {},
  rubbish: (response) => response.writeHead(200, 'OK', json).end('{"data":[{"vmid"'),
  'wrong shape': (response) => response.writeHead(200, 'OK', json).end('{"data":[{"vmid":"x","node":5}]}'),
  flood: (response) => response.writeHead(200, 'OK', json).end(`{"data":[${'"x",'.repeat(500_000)}1]}`),
  html: (response) => response.writeHead(200, 'OK', { 'Content-Type': 'text/html' }).end('<html>'),
};

/** A self-signed certificate with its key. */
export function makeCertificate(folder: string): { certificate: string; key: string } {
  mkdirSync(folder, { recursive: true });
  const paths = { certificate: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=pve1'];
  execFileSync('openssl', [...request, '-keyout', paths.key, '-out', paths.certificate], { stdio: 'ignore' });
  return paths;
}

export async function startFakeApi(folder: string): Promise<FakeApi> {
  const { certificate, key } = makeCertificate(folder);
  const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (request, response) => {
    const [, id = '', secret = ''] = /^PVEAPIToken=([^=]+)=(.*)$/.exec(request.headers.authorization ?? '') ?? [];
    api.asked.push(`${request.method} ${request.url} ${id}`);
    if (secret === '' || api.tokens.get(id) !== secret) response.writeHead(401, 'Authentication failed!', json).end('{"data":null}');
    else moods[api.mood](response, api);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const api: FakeApi = {
    port: (server.address() as AddressInfo).port,
    mood: 'well',
    certificate,
    tokens: new Map(),
    guests: [],
    asked: [],
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return api;
}

/** What a node of Proxmox has below /etc/pve/local. */
export function installCertificate(pveDir: string, node: string, certificate: string, name = 'pve-ssl.pem'): void {
  mkdirSync(join(pveDir, 'nodes', node), { recursive: true });
  // no copy: that would chmod, which the cluster filesystem refuses
  writeFileSync(join(pveDir, 'nodes', node, name), readFileSync(certificate));
}
