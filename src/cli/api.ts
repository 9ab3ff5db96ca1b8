import { request as httpRequest } from 'node:http';
import type { Problem } from '../model/api.ts';
import { failure } from '../model/errors.ts';

/** The service's answer was an error. */
export class ApiProblem extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

export interface Api {
  /** @throws ApiProblem; StateError SERVICE_UNAVAILABLE when nobody answers */
  get<T>(path: string, query?: Query): Promise<T>;
  post<T>(path: string, body?: object): Promise<T>;
  put<T>(path: string, body: object): Promise<T>;
  delete<T>(path: string): Promise<T>;
  /** An answer of one JSON object a line, each given as it comes, for as long as the service sends. @throws as the others do; StateError
   *  SERVICE_UNAVAILABLE when it is cut in the middle */
  lines<T>(path: string, query: Query, each: (line: T) => void): Promise<void>;
}
type Query = Record<string, string | number | undefined>;

export interface ApiOptions {
  door: 'cli';
  user: string;
  /** without an answer; above the service's own deadlines */
  timeoutMs?: number;
}

/** The service's API over its socket. */
export function createApi(socketPath: string, { door, user, timeoutMs = 120_000 }: ApiOptions): Api {
  const headers = { 'X-PVE-CNI-Door': door, 'X-PVE-CNI-User': user, Accept: 'application/json' };

  const call = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const { status, text } = await exchange({ socketPath, method, path, headers, timeout: timeoutMs, agent: false }, body);
    const answer = parse(text);
    if (status === 200 && answer !== undefined) return answer as T; // the service's own types: both are one version
    if (isProblem(answer)) throw new ApiProblem(answer);
    throw failure('SERVICE_UNAVAILABLE', `cannot read the answer of ${socketPath} to ${method} ${path}: status ${status}, not one of ours`);
  };

  return {
    get: (path, query = {}) => call('GET', path + search(query)),
    post: (path, body) => call('POST', path, body),
    put: (path, body) => call('PUT', path, body),
    delete: (path) => call('DELETE', path),
    async lines(path, query, each) {
      const method = 'GET';
      const options = {
        socketPath,
        method,
        path: path + search(query),
        headers: { ...headers, Accept: '*/*' },
        timeout: 0,
        agent: false as const,
      };
      const { status, text } = await exchange(options, undefined, (line) => each(parse(line) as never));
      if (status === 200) return;
      const answer = parse(text);
      if (isProblem(answer)) throw new ApiProblem(answer);
      throw failure('SERVICE_UNAVAILABLE', `cannot read the answer of ${socketPath} to GET ${path}: status ${status}, not one of ours`);
    },
  };
}

function search(query: Query): string {
  const given = Object.entries(query).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)] as [string, string]]));
  return given.length > 0 ? `?${new URLSearchParams(given)}` : '';
}

function exchange(
  options: { socketPath: string; method: string; path: string; headers: Record<string, string>; timeout: number; agent: false },
  body: object | undefined,
  /** takes the lines of a good answer as they come, instead of its text as a whole */
  eachLine?: (line: string) => void,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: Error) =>
      reject(
        failure('SERVICE_UNAVAILABLE', `cannot reach the service at ${options.socketPath}: ${why}`, { path: options.socketPath }, cause),
      );
    const payload = body && JSON.stringify(body);
    const headers = payload
      ? { ...options.headers, 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(payload) }
      : options.headers;
    const request = httpRequest({ ...options, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (!eachLine || response.statusCode !== 200) return;
        const lines = text.split('\n');
        text = lines.pop() ?? '';
        for (const line of lines) eachLine(line);
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', (error) => fail(error.message, error));
    });
    request.on('timeout', () => request.destroy(new Error(`no answer within ${options.timeout / 1000} s`)));
    request.on('error', (error: NodeJS.ErrnoException) => fail(reasons[error.code ?? ''] ?? error.message, error));
    request.end(payload);
  });
}

const reasons: Record<string, string> = {
  ENOENT: 'there is no socket; is the service installed and running?',
  ECONNREFUSED: 'nobody listens',
  EACCES: 'permission denied; only root may use it',
  ECONNRESET: 'it closed the connection without an answer',
};

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isProblem(answer: unknown): answer is Problem {
  return typeof answer === 'object' && answer !== null && 'detail' in answer && 'code' in answer && 'cure' in answer;
}
