// Stands in for Hubble: a gRPC server that speaks our part of its protocol and sends more flows than anybody reads, as its ring does:
// what was overwritten before it could be sent is counted and told of. For what no real agent does on demand.
// tsx hubble-stand-in.ts SOCKET FLOWS_PER_SECOND
import { loadPackageDefinition, Server, ServerCredentials, type ServerWritableStream } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import { hubbleProtocol } from '../../src/cilium/hubble-protocol.ts';

const [socket = '', perSecond = '0'] = process.argv.slice(2);
const loaded = loadPackageDefinition(fromJSON(hubbleProtocol as Parameters<typeof fromJSON>[0], { longs: Number }));
const { service } = (loaded.observer as unknown as { Observer: { service: Parameters<Server['addService']>[0] } }).Observer;
const startedAt = Date.now();
let made = 0;
let sent = 0;
let lost = 0;

const flow = (index: number) => ({
  time: { seconds: Math.floor(Date.now() / 1000), nanos: 0 },
  verdict: 2,
  dropReasonDesc: 133,
  eventType: { type: 5 },
  trafficDirection: 1,
  IP: { source: '10.0.0.1', destination: '10.0.0.2' },
  l4: { UDP: { sourcePort: index % 65_536, destinationPort: 53 } },
  source: { labels: ['reserved:world'] },
  destination: { labels: ['k8s:type=container', 'k8s:vmid=101', 'k8s:name=web'] },
});

function getFlows(call: ServerWritableStream<{ follow: boolean }, object>): void {
  if (!call.request.follow) {
    call.write({ flow: flow(0) });
    call.end();
    return;
  }
  let blocked = false;
  let missed = 0;
  const turn = setInterval(() => {
    for (let count = Number(perSecond) / 100; count > 0; count--) {
      made += 1;
      if (blocked) {
        missed += 1;
        lost += 1;
        continue;
      }
      sent += 1;
      blocked = !call.write({ flow: flow(made) });
    }
  }, 10);
  call.on('drain', () => {
    blocked = false;
    if (missed > 0) call.write({ lostEvents: { source: 3, numEventsLost: missed } });
    missed = 0;
  });
  call.on('cancelled', () => clearInterval(turn));
}

const server = new Server();
server.addService(service, {
  GetFlows: getFlows,
  ServerStatus: (_call: unknown, done: (error: null, answer: object) => void) =>
    done(null, { numFlows: 10, maxFlows: 4095, uptimeNs: (Date.now() - startedAt) * 1e6 }),
});
server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), () => process.stdout.write('ready\n'));
process.on('SIGUSR1', () => process.stdout.write(`${JSON.stringify({ made, sent, lost })}\n`));
