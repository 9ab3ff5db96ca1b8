import { type Execution, execute, type Outcome } from './execute.ts';

/** The launcher's own process: see launcher.ts. It starts what it is told to start, and nothing else. */

/** What the service says: start this, or give that up. */
export type Order = { id: number; execution: Omit<Execution, 'signal'> } | { id: number; abort: true };
/** What it is told: that it runs, and how it ended. */
export type Report = { id: number; pid: number } | { id: number; outcome: Outcome };

const running = new Map<number, AbortController>();

process.on('message', async (order: Order) => {
  const { id } = order;
  if ('abort' in order) return running.get(id)?.abort();
  const controller = new AbortController();
  running.set(id, controller);
  const outcome = await execute({ ...order.execution, signal: controller.signal }, (pid) => report({ id, pid }));
  running.delete(id);
  report({ id, outcome });
  if (!process.connected) endWhenIdle();
});
// the service is gone, by SIGKILL perhaps: what runs is killed, so that the next service, which undoes and repeats it,
// never meets a plugin of the former one at work
process.on('disconnect', () => {
  for (const controller of running.values()) controller.abort();
  endWhenIdle();
});
// signals to the whole group or cgroup are for the service, which lets what runs end
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});

function report(message: Report): void {
  if (process.connected) process.send?.(message, () => {});
}

function endWhenIdle(): void {
  if (running.size === 0) process.exit(0);
}
