import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import { asPveCniError, failure } from '../model/errors.ts';
import { answerTo, sendProblem } from './answer.ts';
import { asRequestError, readBody } from './body.ts';
import type { Service } from './route.ts';
import { routes } from './routes.ts';

/** The part of the service's log that is used here. */
export interface Log {
  error(facts: object, message: string): void;
}

export interface AppOptions {
  service: Service;
  /** throws while requests are not served */
  gate: () => void;
  log: Log;
}

/** The Express application over the table of routes. */
export function createApp({ service, gate, log }: AppOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('case sensitive routing');
  app.enable('strict routing');
  app.set('query parser', 'simple');

  const guarded: RequestHandler = (_request, _response, next) => {
    gate();
    next();
  };
  for (const path of new Set(routes.map((row) => row.path))) {
    const rows = routes.filter((row) => row.path === path);
    for (const row of rows) app[row.method](path, ...(row.always ? [] : [guarded]), readBody, answerTo(row, service));
    const allow = rows.flatMap(({ method }) => (method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()])).join(', ');
    app.all(path, (request, response) => {
      response.setHeader('Allow', allow);
      throw failure('METHOD_NOT_ALLOWED', `${request.path} does not know ${request.method}; it knows ${allow}`, { path: request.path });
    });
  }
  app.use((request) => {
    throw failure('NOT_FOUND', `nothing is served at ${request.path}`, { path: request.path });
  });

  const onError: ErrorRequestHandler = (thrown, request, response, _next) => {
    const error = asPveCniError(asRequestError(thrown) ?? thrown);
    if (error.code === 'INTERNAL') log.error({ err: thrown, method: request.method, path: request.path }, 'a request met a defect');
    sendProblem(request, response, error);
  };
  app.use(onError);
  return app;
}
