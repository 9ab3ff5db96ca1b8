import { z } from 'zod';
import type { Manager } from '../manager/manager.ts';
import type { ErrorCode } from '../model/error-codes.ts';
import type { Requester } from '../model/operation.ts';

/** What the routes work with. */
export interface Service {
  manager: Manager;
  metrics: () => Promise<TextAnswer>;
  /** the OpenAPI document, made at the first call */
  openApi: () => object;
}

export type MediaType = 'application/json' | 'text/plain' | 'application/x-ndjson';
export interface TextAnswer {
  contentType: string;
  text: string;
}

/** A request after validation. */
interface Input<Params, Query, Body> {
  params: Params;
  query: Query;
  body: Body;
  requester: Requester;
  /** aborts when the client goes away before it is answered */
  signal: AbortSignal;
}

interface Definition<Params extends z.ZodObject, Query extends z.ZodObject, Body extends z.ZodType, Answer extends z.ZodType> {
  method: 'get' | 'post' | 'put' | 'delete';
  /** as Express writes it: /v1/networks/:name */
  path: string;
  /** subject that the OpenAPI document groups it under */
  tag: string;
  summary: string;
  params?: Params;
  query?: Query;
  body?: Body;
  answer: Answer;
  /** what the answer can be sent as, the default first */
  media?: readonly MediaType[];
  /** the answer for clients that ask for text/plain */
  asText?: (answer: z.output<Answer>) => TextAnswer;
  /** errors that are particular to this route */
  errors?: readonly ErrorCode[];
  /** served while the service starts or stops */
  always?: boolean;
  handle: (service: Service, input: Input<z.output<Params>, z.output<Query>, z.output<Body>>) => Promise<z.output<Answer>>;
}

/** One row of the table that requests are served, validated and described by. */
export interface Route extends Required<Omit<Definition<z.ZodObject, z.ZodObject, z.ZodType, z.ZodType>, 'asText' | 'handle'>> {
  asText: ((answer: unknown) => TextAnswer) | null;
  /** whether `handle` gives an AsyncIterable, each of whose values is one line of the answer */
  stream: boolean;
  handle: (service: Service, input: Input<unknown, unknown, unknown>) => Promise<unknown>;
}

const nothing = z.strictObject({});
type Nothing = typeof nothing;

/** Checks a row's types against each other and fills in what it leaves out: no parameters, no query, no body. */
export function route<
  Answer extends z.ZodType,
  Params extends z.ZodObject = Nothing,
  Query extends z.ZodObject = Nothing,
  Body extends z.ZodType = Nothing,
>(definition: Definition<Params, Query, Body, Answer>): Route {
  // the row's own types are checked above; the table holds rows of all types
  return { ...defaults, ...definition } as unknown as Route;
}

/** The same for an answer that comes line by line for as long as the client reads. `answer` is the shape of a line. */
export function streamRoute<Answer extends z.ZodType, Params extends z.ZodObject = Nothing, Query extends z.ZodObject = Nothing>({
  lines,
  ...definition
}: Omit<Definition<Params, Query, Nothing, Answer>, 'handle' | 'body' | 'media' | 'asText'> & {
  lines: (service: Service, input: Input<z.output<Params>, z.output<Query>, object>) => AsyncIterable<z.output<Answer>>;
}): Route {
  const row = {
    ...definition,
    media: ['application/x-ndjson'],
    stream: true,
    handle: async (...given: Parameters<typeof lines>) => lines(...given),
  };
  return { ...defaults, ...row } as unknown as Route;
}

const defaults = {
  params: nothing,
  query: nothing,
  body: nothing,
  media: ['application/json'],
  errors: [],
  always: false,
  asText: null,
  stream: false,
};
