import { type ErrorClass, type ErrorCode, errorCodes } from './error-codes.ts';

/** Facts of an error that programs may read. Units in the names. */
export interface ErrorContext {
  vmid?: number;
  ifname?: string;
  network?: string;
  plugin?: string;
  argv?: readonly string[];
  path?: string;
  field?: string;
  /** The whole error object that a CNI plugin printed (CNI 1.1, "Error"). */
  cniError?: unknown;
  [fact: string]: unknown;
}

/** What every error of ours is. The message says what was tried, on what, why it failed and what to do. */
export abstract class PveCniError extends Error {
  readonly code: ErrorCode;
  readonly context: ErrorContext;

  constructor(code: ErrorCode, message: string, context: ErrorContext = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.code = code;
    this.context = context;
  }

  /** Whether the same request may succeed later without anybody changing anything. */
  get retryable(): boolean {
    return errorCodes[this.code].retryable;
  }
}

export class ConfigurationError extends PveCniError {}
export class CNIError extends PveCniError {}
export class IPAMError extends PveCniError {}
export class InterfaceError extends PveCniError {}
export class StateError extends PveCniError {}
export class ProxmoxError extends PveCniError {}

const classes: Record<ErrorClass, new (...args: ConstructorParameters<typeof StateError>) => PveCniError> = {
  ConfigurationError,
  CNIError,
  IPAMError,
  InterfaceError,
  StateError,
  ProxmoxError,
};

/** The error of a code, as an instance of the class that the table names for it. */
export function failure(code: ErrorCode, message: string, context: ErrorContext = {}, cause?: unknown): PveCniError {
  return new classes[errorCodes[code].class](code, message, context, cause);
}

/** Any thrown value as one of ours; what is not ours becomes INTERNAL with the original as its cause. */
export function asPveCniError(thrown: unknown): PveCniError {
  if (thrown instanceof PveCniError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return failure('INTERNAL', `unexpected: ${message}`, {}, thrown);
}

/** An error as it is stored and shown: class, code, message, context, and the same of its cause. */
export interface ErrorRecord {
  class: string;
  code: string;
  message: string;
  retryable: boolean;
  context: ErrorContext;
}

export function errorRecord(error: PveCniError): ErrorRecord {
  return {
    class: error.name,
    code: error.code,
    message: error.message,
    retryable: error.retryable,
    context: error.context,
  };
}
