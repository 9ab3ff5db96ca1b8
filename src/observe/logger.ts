import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';
import { redact, redactText } from './redact.ts';
import { currentTrace } from './tracing.ts';

export type { Logger } from 'pino';

export interface LoggerOptions {
  level: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  /** where the lines go; stdout (and so journald) when absent */
  destination?: DestinationStream;
}

/** The service's log: one JSON object a line. A line that is written while an operation runs carries the operation's id
 *  as `operation` and its trace id as `trace`, whoever writes it; secrets are replaced by `[redacted]`. */
export function createLogger({ level, destination }: LoggerOptions): Logger {
  const options = {
    level,
    base: null, // journald adds pid and host
    timestamp: stdTimeFunctions.isoTime,
    formatters: {
      level: (label: string) => ({ level: label }),
      log: (facts: Record<string, unknown>) => redact(facts) as Record<string, unknown>,
    },
    hooks: { streamWrite: redactText },
    mixin: () => {
      const trace = currentTrace();
      return trace ? { operation: trace.operationId, trace: trace.traceId } : {};
    },
  };
  return destination ? pino(options, destination) : pino(options);
}
