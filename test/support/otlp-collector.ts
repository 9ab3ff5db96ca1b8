import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { until } from './until.ts';

/** A span as OTLP's JSON encoding has it (opentelemetry-proto, trace/v1/trace.proto). */
export interface CollectedSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  attributes: { key: string; value: { stringValue?: string } }[];
}

/** Stands in for an OpenTelemetry collector: an HTTP server that keeps what it is sent. */
export async function createCollector() {
  const spans: CollectedSpan[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    if (request.url === '/v1/traces')
      for (const resource of JSON.parse(Buffer.concat(chunks).toString()).resourceSpans)
        spans.push(...resource.scopeSpans.flatMap((scope: { spans: CollectedSpan[] }) => scope.spans));
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Spans of a trace, once its collector has one with an attribute of this value. */
    trace: (traceId: string, value: string) =>
      until(`the collector has ${value}`, () => {
        const found = spans.filter((span) => span.traceId === traceId);
        return found.some(({ attributes }) => attributes.some((one) => one.value.stringValue === value)) ? found : null;
      }),
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
