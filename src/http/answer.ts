import { once } from 'node:events';
import type { Request, RequestHandler, Response } from 'express';
import type { ErrorCode } from '../model/error-codes.ts';
import { failure, type PveCniError } from '../model/errors.ts';
import { problemOf } from './problem.ts';
import { requesterOf } from './requester.ts';
import type { MediaType, Route, Service } from './route.ts';
import { plainText } from './text.ts';
import { parsed } from './validation.ts';

/** The handler of one row of the table: validates, asks the manager, answers. */
export function answerTo(route: Route, service: Service): RequestHandler {
  return async (request, response) => {
    const input = {
      params: parsed(route.params, request.params, 'path'),
      query: parsed(route.query, request.query, 'query'),
      body: parsed(route.body, bodyOf(request), 'body'),
      requester: requesterOf(request.headers),
      signal: gone(response),
    };
    const answer = await route.handle(service, input);
    // what a row of this kind gives: see streamRoute
    if (route.stream) return sendLines(response, answer as AsyncIterable<unknown>, input.signal);
    if (route.asText && preferred(request, route.media) === 'text/plain') {
      const { contentType, text } = route.asText(answer);
      send(response, 200, contentType, text);
    } else send(response, 200, 'application/json', JSON.stringify(answer));
  };
}

// hooks repeat what is answered with Retry-After, so no refusal may carry it (CONFIG_UNAVAILABLE and the like)
const fromTheNextProcess = new Set<ErrorCode>(['SERVICE_STOPPING', 'SERVICE_UNAVAILABLE']);

/** Answers with an error: problem+json, or its message in one line for clients that ask for text/plain. */
export function sendProblem(request: Request, response: Response, error: PveCniError): void {
  const problem = problemOf(error);
  if (fromTheNextProcess.has(error.code)) response.setHeader('Retry-After', '1');
  if (preferred(request, ['application/json', 'text/plain']) === 'text/plain') {
    const { contentType, text } = plainText([problem.detail]);
    send(response, problem.status, contentType, text);
  } else send(response, problem.status, 'application/problem+json', JSON.stringify(problem));
}

/** Express's own send() computes charsets and freshness that nobody here asks for. */
function send(response: Response, status: number, contentType: string, text: string): void {
  if (response.writableEnded || response.destroyed) return;
  response.writeHead(status, { 'Content-Type': contentType, 'Content-Length': Buffer.byteLength(text), 'Cache-Control': 'no-store' });
  response.end(text);
}

/** One JSON text a line, no faster than the client reads. A head is sent at once: the first line may be long in coming. */
async function sendLines(response: Response, lines: AsyncIterable<unknown>, signal: AbortSignal): Promise<void> {
  response.writeHead(200, { 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store' });
  response.flushHeaders();
  try {
    for await (const line of lines) {
      if (signal.aborted) break;
      if (!response.write(`${JSON.stringify(line)}\n`)) await once(response, 'drain', { signal }).catch(() => {});
    }
    response.end();
  } catch {
    // half an answer cannot become a problem: the client sees that it was cut
    response.destroy();
  }
}

function preferred(request: Request, media: readonly MediaType[]): MediaType | undefined {
  if (media.length === 1 || request.headers.accept === undefined) return media[0];
  return (request.accepts([...media]) || media[0]) as MediaType | undefined;
}

function bodyOf({ headers, body }: Request): unknown {
  const sent = 'transfer-encoding' in headers || Number(headers['content-length'] ?? 0) > 0;
  if (sent && body === undefined)
    throw failure(
      'MEDIA_TYPE_UNSUPPORTED',
      `cannot take the body of the request: its Content-Type is ${headers['content-type'] ?? 'missing'}`,
    );
  return body ?? {};
}

/** Aborts when the connection ends before the answer is complete. */
function gone(response: Response): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}
