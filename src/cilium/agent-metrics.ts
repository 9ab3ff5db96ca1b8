import { request } from 'node:http';
import type { Cilium } from './cilium.ts';

/** What the agent says of itself for our page of metrics. */
export interface AgentState {
  /** whether it answers on its socket */
  up: boolean;
  /** its own page of metrics, as it is; empty when there is none */
  page: string;
  endpoints: { vmid: number; name: string; ifname: string; endpoint: number; identity: number; state: string }[];
}

export async function readAgentState(cilium: Pick<Cilium, 'endpoints'>, metricsPort: number): Promise<AgentState> {
  const [page, endpoints] = await Promise.all([readPage(metricsPort), cilium.endpoints()]);
  return {
    up: endpoints !== null,
    page: page ?? '',
    endpoints: (endpoints ?? []).map(({ id, vmid, labels, attachmentId, identity, state }) => ({
      vmid,
      name: labels.find((label) => label.startsWith('k8s:name='))?.slice('k8s:name='.length) || String(vmid),
      ifname: attachmentId.split(':')[1] ?? '',
      endpoint: id,
      identity,
      state,
    })),
  };
}

const timeoutMs = 2000;
const maxBytes = 8 * 1024 * 1024;

/** The agent's page of metrics, on loopback; null when there is none, or it is too large or too slow. Others may listen there while the
 *  agent does not: what comes is untrusted. */
function readPage(port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const sent = request({ host: '127.0.0.1', port, path: '/metrics', agent: false, headers: { Accept: 'text/plain' } }, (response) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      if (response.statusCode !== 200) sent.destroy(new Error(`status ${response.statusCode}`));
      response.on('data', (part: Buffer) => {
        bytes += part.length;
        if (bytes > maxBytes) sent.destroy(new Error('too large'));
        else parts.push(part);
      });
      response.on('error', () => resolve(null));
      response.on('end', () => resolve(Buffer.concat(parts).toString()));
    });
    const late = setTimeout(() => sent.destroy(new Error('too slow')), timeoutMs);
    sent.on('error', () => resolve(null));
    sent.on('close', () => {
      clearTimeout(late);
      resolve(null);
    });
    sent.end();
  });
}
