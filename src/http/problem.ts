import type { Problem } from '../model/api.ts';
import { errorCodes } from '../model/error-codes.ts';
import type { PveCniError } from '../model/errors.ts';
import { redact, redactText } from '../observe/redact.ts';

/** An error as RFC 9457 wants it, from the table of error codes. Causes and stacks stay here; secrets are replaced. */
export function problemOf(error: PveCniError): Problem {
  const row = errorCodes[error.code];
  const { operation } = error.context;
  return {
    type: `errors.md#${error.code}`,
    title: row.cause,
    status: row.status,
    detail: redactText(error.message),
    code: error.code,
    class: row.class,
    retryable: row.retryable,
    cure: row.cure,
    ...(typeof operation === 'string' && { operation }),
    context: redact(error.context) as Problem['context'],
  };
}
