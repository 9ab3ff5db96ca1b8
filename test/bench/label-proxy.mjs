// The least that gives an endpoint of cilium-cni an identity: passes everything on to the agent and puts labels into the request that
// creates an endpoint. cilium-cni alone sends none, and its endpoint stays `reserved:init`, which nobody can use.
import { createServer, request } from 'node:http';

const agentSocket = '/run/cilium/cilium.sock';

/** `labelsOf`: of a container id. */
export function startLabelProxy(path, labelsOf) {
  const server = createServer((incoming, outgoing) => {
    const parts = [];
    incoming.on('data', (part) => parts.push(part));
    incoming.on('end', () => {
      let body = Buffer.concat(parts);
      if (incoming.method === 'PUT') {
        const wanted = JSON.parse(body.toString());
        body = Buffer.from(JSON.stringify({ ...wanted, labels: labelsOf(wanted['container-id']) }));
      }
      const headers = { ...incoming.headers, ...(body.length > 0 && { 'content-length': body.length }) };
      const sent = request({ socketPath: agentSocket, method: incoming.method, path: incoming.url, headers, agent: false }, (answer) => {
        outgoing.writeHead(answer.statusCode, answer.headers);
        answer.pipe(outgoing);
      });
      sent.on('error', () => outgoing.destroy());
      sent.end(body);
    });
  });
  server.listen(path);
}
