/** Runs work on a filesystem that may hang for ever (a dead FUSE mount): after `limitMs` the caller goes on without it.
 *  While such work still hangs no more is begun, since each would keep a thread of Node's pool. */
export function createDeadline(limitMs: number): <Result>(what: string, work: () => Promise<Result>) => Promise<Result> {
  let hanging: Promise<unknown> | null = null;
  return async (what, work) => {
    if (hanging) throw timedOut(what, 'an earlier attempt still hangs');
    const running = work();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        const settled = running
          .catch(() => {})
          .finally(() => {
            hanging = null;
          });
        hanging = settled;
        reject(timedOut(what, `no answer within ${limitMs} ms`));
      }, limitMs);
    });
    return Promise.race([running, late]).finally(() => clearTimeout(timer));
  };
}

function timedOut(what: string, why: string): Error {
  return Object.assign(new Error(`${what}: ${why}`), { code: 'ETIMEDOUT' });
}
