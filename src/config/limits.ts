import { failure, type PveCniError } from '../model/errors.ts';

/** bytes of a file that is read at all; parsers check the same of a text */
export const fileLimitBytes = 256 * 1024;

/** The refusal of a file whose size is known before its text. */
export function fileTooLarge(file: string): PveCniError {
  return failure('CONFIG_TOO_LARGE', `${file} is larger than ${fileLimitBytes} bytes; split it or make it smaller`, { path: file });
}
