import express, { type RequestHandler } from 'express';
import { failure } from '../model/errors.ts';

const limitBytes = 64 * 1024;

/** Reads a JSON body of at most 64 KiB; a larger one is read off without being kept. Not inflated: no bombs. */
export const readBody: RequestHandler = express.json({
  limit: limitBytes,
  inflate: false,
  type: 'application/json',
  reviver: (key, value) => {
    if (key === '__proto__' || key === 'constructor' || key === 'prototype') throw new SyntaxError(`the key ${key} is not allowed`);
    return value;
  },
});

/** What the parser of bodies and the router throw, as errors of ours; null when it is not theirs. */
export function asRequestError(thrown: unknown): Error | null {
  if (!(thrown instanceof Error) || !('status' in thrown) || typeof thrown.status !== 'number' || thrown.status >= 500) return null;
  if (thrown.status === 413)
    return failure('CONFIG_TOO_LARGE', `cannot take the body of the request: it is larger than ${limitBytes / 1024} KiB`);
  if (thrown.status === 415) return failure('MEDIA_TYPE_UNSUPPORTED', `cannot take the body of the request: ${thrown.message}`);
  return failure('REQUEST_INVALID', `cannot read the request: ${thrown.message}`);
}
