import type { Outcome } from '../host/execute.ts';
import type { CniErrorObject, CniVerb } from '../model/cni.ts';
import { type ErrorContext, failure, type PveCniError } from '../model/errors.ts';
import { isObject } from './json.ts';
import { redactOutput, redactSecrets } from './redact.ts';

/** What is said about a run in its errors. */
export interface RunFacts {
  plugin: string;
  verb: CniVerb;
  path: string;
  timeoutMs: number;
  network?: string;
  containerId?: string;
  ifname?: string;
}

/** CNI 1.1 section 5, "Error": try again later */
const tryAgainLater = 11;

/** stdout of a plugin that succeeded, or the error that says why it did not. */
export function judge(outcome: Outcome, facts: RunFacts): { stdout: Buffer } | PveCniError {
  const said = `${facts.verb} of CNI plugin ${facts.plugin}${target(facts)}`;
  const { timeoutMs, ...known } = facts;
  if (outcome.how === 'unstarted') {
    const missing = outcome.reason === 'ENOENT';
    return failure(
      missing ? 'CNI_PLUGIN_MISSING' : 'CNI_PLUGIN_CRASHED',
      `${said} did not start: ${facts.path} ${missing ? 'or its interpreter is not there' : `cannot be executed (${outcome.reason})`}`,
      { ...known, reason: outcome.reason },
    );
  }
  const stderr = redactOutput(outcome.stderr.toString());
  const context: ErrorContext = { ...known, ...(stderr && { stderr }) };
  switch (outcome.how) {
    case 'timeout':
      return failure(
        'CNI_PLUGIN_TIMEOUT',
        `${said} did not end within ${timeoutMs} ms; it was killed with its process group${quote(stderr)}`,
        { ...context, timeoutMs },
      );
    case 'aborted':
      return failure('CNI_CANCELLED', `${said} was given up; the plugin was killed`, context);
    case 'flooded':
      return failure('CNI_RESULT_INVALID', `${said} printed more than 1 MiB on stdout or 64 KiB on stderr and was killed`, context);
    case 'exited':
      return judgeExit(outcome, said, context, stderr);
  }
}

function judgeExit(outcome: Outcome & { how: 'exited' }, said: string, context: ErrorContext, stderr: string) {
  const { exitCode, signal, stdout } = outcome;
  // section 2 of the specification says stderr, section 5 and all plugins stdout
  const cniError = errorObject(stdout) ?? (exitCode !== 0 && stdout.length === 0 ? errorObject(outcome.stderr) : undefined);
  if (cniError) {
    const details = cniError.details ? `: ${cniError.details}` : '';
    return failure('CNI_PLUGIN_FAILED', `${said} failed with code ${cniError.code}: ${redactSecrets(`${cniError.msg}${details}`)}`, {
      ...context,
      cniError,
      exitCode,
      ...(cniError.code === tryAgainLater && { tryAgainLater: true }),
    });
  }
  if (exitCode === 0) return { stdout };
  const end = signal ? `was killed by ${signal}` : `ended with exit code ${exitCode}`;
  return failure('CNI_PLUGIN_CRASHED', `${said} ${end} without a CNI error object${quote(stderr || redactOutput(stdout.toString()))}`, {
    ...context,
    exitCode,
    signal,
  });
}

/** A JSON object with a numeric code and a message is an error, whatever the exit code says. */
function errorObject(output: Buffer): CniErrorObject | undefined {
  if (output.length === 0) return undefined;
  const value = parseOutput(output);
  if (!isObject(value) || typeof value.code !== 'number' || value.code === 0) return undefined;
  return { ...value, msg: String(value.msg ?? '') } as CniErrorObject;
}

/** One JSON value in UTF-8 and nothing else; undefined when it is not. */
export function parseOutput(output: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(output));
  } catch {
    return undefined;
  }
}

function target({ network, containerId, ifname }: RunFacts): string {
  if (!network) return '';
  return containerId ? ` (${ifname} of ${containerId} on network ${network})` : ` (network ${network})`;
}

function quote(stderr: string): string {
  return stderr ? `; it said: ${stderr}` : '';
}
