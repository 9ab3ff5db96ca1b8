const maxStderrBytes = 2048;

/** What a plugin printed, fit for logs and answers: secrets replaced, at most 2 KiB. Redacts before it cuts, so that half
 *  a secret at the cut is not left over. The patterns have no nested repetition: linear time on hostile text. */
export function redactOutput(text: string): string {
  const clean = redactSecrets(text).trim();
  return clean.length > maxStderrBytes ? `${clean.slice(0, maxStderrBytes)}…` : clean;
}

export function redactSecrets(text: string): string {
  return (
    text
      .replace(/-----BEGIN [A-Z0-9 ]{1,64}-----(?:[^-]|-(?!----END))*(?:-----END [A-Z0-9 ]{1,64}-----)?/g, '[redacted]')
      .replace(/\b(bearer|basic)[ \t]+[A-Za-z0-9._~+/=-]+/gi, '$1 [redacted]')
      // name: value, name=value, "name": "value" (also escaped inside another string), --name value
      .replace(
        /((?:password|passwd|token|secret|key|authorization)[A-Za-z0-9_-]{0,32}(?:\\?["'])?(?:[ \t]*[:=][ \t]*|[ \t]+(?=["'])))(?!bearer |basic )("[^"\n]*"|\\"[^"\n]*"|'[^'\n]*'|[^\s"',;}]+)/gi,
        '$1[redacted]',
      )
      .replace(/([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/"\\@]{1,256}@/gi, '$1[redacted]@')
  );
}
