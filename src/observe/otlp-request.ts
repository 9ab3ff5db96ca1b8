import type { Operation, Span } from '../model/operation.ts';
import { rootSpanId } from './tracing.ts';

/** Values of the protocol: opentelemetry-proto, trace/v1/trace.proto (Span.SpanKind, Status.StatusCode). */
const spanKind = { internal: 1, server: 2 } as const;
const statusError = 2;

/** ExportTraceServiceRequest in OTLP's JSON encoding (ids as hex, 64-bit integers as text). */
export function otlpRequest(operations: readonly Operation[], resource: { version: string; node: string }) {
  return {
    resourceSpans: [
      {
        resource: {
          attributes: attributes({ 'service.name': 'pve-cni', 'service.version': resource.version, 'host.name': resource.node }),
        },
        scopeSpans: [{ scope: { name: 'pve-cni', version: resource.version }, spans: operations.flatMap(spansOf) }],
      },
    ],
  };
}

/** The operation is the root; spans without a parent hang below it. Under it all hangs what the requester sent. */
function spansOf(operation: Operation) {
  const root = rootSpanId(operation.id);
  const { requester, traceId } = operation;
  const parentSpanId = requester.traceparent?.split('-')[1] === traceId ? requester.traceparent.split('-')[2] : undefined;
  return [
    {
      traceId,
      spanId: root,
      ...(parentSpanId && { parentSpanId }),
      name: operation.kind,
      kind: requester.door === 'service' ? spanKind.internal : spanKind.server,
      ...times(operation.begin, (operation.end ?? operation.begin) - operation.begin),
      attributes: attributes({
        'pve_cni.operation': operation.id,
        'pve_cni.door': requester.door,
        'enduser.id': requester.user,
        'pve_cni.outcome': operation.outcome,
        'pve_cni.vmid': operation.vmid,
        'pve_cni.network': operation.network,
        'pve_cni.error_code': operation.error?.code ?? null,
      }),
      status: operation.outcome === 'ok' ? {} : { code: statusError, message: operation.error?.message ?? operation.message },
    },
    ...operation.spans.map((span) => childSpan(span, traceId, root)),
  ];
}

function childSpan(span: Span, traceId: string, root: string) {
  return {
    traceId,
    spanId: span.id,
    parentSpanId: span.parent ?? root,
    name: span.name,
    kind: spanKind.internal,
    ...times(span.start, span.durationMs),
    attributes: attributes(span.facts ?? {}),
    status: span.error === undefined ? {} : { code: statusError, message: span.error },
  };
}

function times(startMs: number, durationMs: number) {
  return { startTimeUnixNano: nanoseconds(startMs), endTimeUnixNano: nanoseconds(startMs + durationMs) };
}

/** A double holds epoch ms to the microsecond, not to the nanosecond. */
function nanoseconds(epochMs: number): string {
  return `${Math.round(epochMs * 1000)}000`;
}

function attributes(facts: Record<string, string | number | null>) {
  return Object.entries(facts).flatMap(([key, value]) => (value === null ? [] : [{ key, value: attributeValue(value) }]));
}

function attributeValue(value: string | number) {
  if (typeof value === 'string') return { stringValue: value };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}
