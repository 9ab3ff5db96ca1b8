import { errorCodes, exitCodes } from '../model/error-codes.ts';
import { PveCniError } from '../model/errors.ts';
import { ApiProblem } from './api.ts';
import { clean } from './clean.ts';

/** What a person is told about an error, and the exit code. */
export function explain(thrown: unknown): { lines: string[]; exitCode: number } {
  const { message, cure, code, exitCode } = facts(thrown);
  return { lines: clean([`pve-cni: ${message}`, ...(cure ? [`  cure: ${cure}`] : []), ...(code ? [`  code: ${code}`] : [])]), exitCode };
}

function facts(thrown: unknown): { message: string; cure?: string; code?: string; exitCode: number } {
  if (thrown instanceof ApiProblem) {
    const { detail, cure, code } = thrown.problem;
    return { message: detail, cure, code, exitCode: exitCodes[thrown.problem.class] ?? 1 };
  }
  if (thrown instanceof PveCniError) {
    const { cure, class: errorClass } = errorCodes[thrown.code];
    return { message: thrown.message, cure, code: thrown.code, exitCode: exitCodes[errorClass] };
  }
  return { message: thrown instanceof Error ? thrown.message : String(thrown), exitCode: 1 };
}
