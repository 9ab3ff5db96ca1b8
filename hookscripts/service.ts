import { randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';

/** `seconds`: for the whole; `connectSeconds`: how long a service that was never reached is waited for. */
export interface Limits {
  seconds: number;
  connectSeconds: number;
}

export interface Question extends Limits {
  socketPath: string;
  phase: string;
  vmid: number;
}

/** The service's verdict, or that there is none. */
export type Answer =
  | { kind: 'ok'; message: string; warnings: string[] }
  | { kind: 'refused'; reason: string }
  | { kind: 'unanswered'; reason: string };

/** What became of one request: an answer, or why it is repeated. */
type Attempt = Answer | { kind: 'absent' } | { kind: 'broken' };

const maxAnswerBytes = 65_536;
const absentCodes = new Set(['ENOENT', 'ENOTDIR', 'ECONNREFUSED', 'EACCES', 'EAGAIN']);

/** Repeats the request, which is idempotent, until there is a verdict or the time is over. Never throws. */
export async function ask(question: Question): Promise<Answer> {
  const begin = performance.now();
  const headers = {
    'X-PVE-CNI-Door': 'hookscript',
    Accept: 'text/plain',
    'Content-Type': 'application/json',
    traceparent: newTraceparent(),
  };
  for (let reached = false; ; ) {
    const leftMs = Math.floor(begin + question.seconds * 1000 - performance.now());
    if (leftMs <= 0) return late(question);
    const attempt = await post(question, headers, leftMs);
    if (attempt.kind !== 'absent' && attempt.kind !== 'broken') return attempt;
    reached ||= attempt.kind === 'broken';
    if (!reached && performance.now() - begin >= question.connectSeconds * 1000) {
      return { kind: 'unanswered', reason: `the service is not there (${question.socketPath}); see systemctl status pve-cni` };
    }
    await pause(200);
  }
}

function post(question: Question, headers: Record<string, string>, timeoutMs: number): Promise<Attempt> {
  return new Promise((resolve) => {
    const fail = (error: NodeJS.ErrnoException) => resolve(attemptOf(error, question));
    const outgoing = httpRequest(
      {
        socketPath: question.socketPath,
        path: `/v1/hooks/${question.phase}`,
        method: 'POST',
        agent: false,
        headers,
        signal: AbortSignal.timeout(timeoutMs),
      },
      (incoming) => {
        let text = '';
        incoming.setEncoding('utf8').on('error', fail);
        incoming.on('data', (chunk: string) => {
          text += chunk;
          if (text.length > maxAnswerBytes) outgoing.destroy(Object.assign(new Error(), { code: 'HPE_TOO_LONG' }));
        });
        incoming.on('end', () => resolve(verdictOf(incoming.statusCode ?? 0, 'retry-after' in incoming.headers, text)));
      },
    );
    outgoing.on('error', fail).end(JSON.stringify({ vmid: question.vmid }));
  });
}

/** The service answers a sentence, then a line `warning: ...` for each. */
function verdictOf(status: number, retryLater: boolean, text: string): Attempt {
  const [message = '', ...rest] = text.trimEnd().split('\n');
  if (status >= 200 && status < 300) {
    return { kind: 'ok', message, warnings: rest.map((line) => line.replace(/^warning: /, '')) };
  }
  if (status === 503 && retryLater) return { kind: 'broken' };
  return { kind: 'refused', reason: message || `the service answered with status ${status}` };
}

function attemptOf(error: NodeJS.ErrnoException, question: Question): Attempt {
  const code = error.code ?? '';
  if (absentCodes.has(code)) return { kind: 'absent' };
  if (code === 'ABORT_ERR') return late(question);
  if (code.startsWith('HPE_')) return { kind: 'unanswered', reason: `what answers on ${question.socketPath} is not the service` };
  return { kind: 'broken' };
}

function late(question: Question): Answer {
  return { kind: 'unanswered', reason: `the service did not answer within ${question.seconds} s` };
}

/** W3C trace context of this hook run. */
function newTraceparent(): string {
  return `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`;
}
