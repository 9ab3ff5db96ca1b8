import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi';
import { problem } from '../model/api.ts';
import { type ErrorCode, errorCodes } from '../model/error-codes.ts';
import { requesterHeaders } from './requester.ts';
import type { Route } from './route.ts';
import { routes } from './routes.ts';

const always: readonly ErrorCode[] = ['REQUEST_INVALID', 'SERVICE_UNAVAILABLE', 'SERVICE_STOPPING', 'INTERNAL'];
const ofBodies: readonly ErrorCode[] = ['CONFIG_TOO_LARGE', 'MEDIA_TYPE_UNSUPPORTED'];

/** The OpenAPI 3.1 document of the socket's API, derived from the table of routes. */
export function openApiDocument(version: string): object {
  const paths: ZodOpenApiPathsObject = {};
  for (const row of routes) {
    const path = row.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [row.method]: operation(row) };
  }
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'pve-cni',
      version,
      description:
        'CNI networks for the LXC containers of a Proxmox VE node. HTTP on the unix socket /run/pve-cni/pve-cni.sock, for root only. ' +
        'Errors are problem+json (RFC 9457); every code is described in docs/errors.md.',
      license: { name: 'AGPL-3.0-or-later', identifier: 'AGPL-3.0-or-later' },
    },
    servers: [{ url: 'http://localhost' }],
    paths,
  });
}

function operation(row: Route): ZodOpenApiOperationObject {
  const body = (row.method === 'post' || row.method === 'put') && Object.keys((row.body as { shape?: object }).shape ?? {}).length > 0;
  return {
    operationId: operationId(row),
    tags: [row.tag],
    summary: row.summary,
    requestParams: { path: row.params, query: row.query, header: requesterHeaders },
    ...(body && { requestBody: { content: { 'application/json': { schema: row.body } }, required: true } }),
    responses: {
      200: { description: row.summary, content: answerContent(row) },
      ...errorResponses([...always, ...(body ? ofBodies : []), ...row.errors]),
    },
  };
}

function answerContent(row: Route): Record<string, object> {
  const json = { schema: row.answer };
  const text = { schema: { type: 'string' } };
  return Object.fromEntries(row.media.map((media) => [media, media === 'text/plain' ? text : json]));
}

/** One answer a status, naming the codes that it stands for. */
function errorResponses(codes: readonly ErrorCode[]): ZodOpenApiOperationObject['responses'] {
  const statuses = new Set(codes.map((code) => errorCodes[code].status));
  return Object.fromEntries(
    [...statuses].map((status) => {
      const own = codes.filter((code) => errorCodes[code].status === status);
      const description = own.map((code) => `${code}: ${errorCodes[code].cause}`).join('\n');
      return [String(status), { description, content: { 'application/problem+json': { schema: problem } } }];
    }),
  );
}

/** post /v1/networks/:name/check → postNetworksNameCheck */
function operationId({ method, path }: Route): string {
  const words = path
    .replace('/v1/', '/')
    .split(/[/:.]+/)
    .filter(Boolean);
  return method + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}
