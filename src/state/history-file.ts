import { constants } from 'node:fs';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { z } from 'zod';
import type { SavedHistory } from '../core/traffic-history.ts';

/** The history of traffic between two lives of the service: `history`, beside `state.db`. Expendable like the flows, and never waits for the
 *  disk: after a power cut it may be damaged, and is begun anew. One line of JSON says whose the rates are, which follow as they are in memory. */
export interface HistoryFile {
  /** null: there is none, or none that can be read */
  read(): Promise<SavedHistory | null>;
  /** @throws the system's error */
  write(saved: SavedHistory): Promise<void>;
}

const head = z.object({
  version: z.literal(1),
  last: z.object({ hour: z.number().int(), day: z.number().int() }),
  keys: z.array(z.string().max(64)),
});

/** as large as the most interfaces make it */
const maxBytes = 32 * 1024 * 1024;

export function createHistoryFile(file: string): HistoryFile {
  return {
    async read() {
      const bytes = await readBytes(file);
      if (!bytes) return null;
      const end = bytes.indexOf('\n');
      const parsed = head.safeParse(json(bytes.subarray(0, Math.max(0, end)).toString()));
      const body = bytes.subarray(end + 1);
      if (!parsed.success || body.length % Float32Array.BYTES_PER_ELEMENT !== 0) return null;
      const rates = new Float32Array(body.length / Float32Array.BYTES_PER_ELEMENT);
      new Uint8Array(rates.buffer).set(body);
      return { last: parsed.data.last, keys: parsed.data.keys, rates };
    },
    async write({ last, keys, rates }) {
      const temporary = `${file}.tmp`;
      const handle = await open(temporary, 'w', 0o600);
      try {
        await handle.writeFile(`${JSON.stringify({ version: 1, last, keys })}\n`);
        await handle.writeFile(new Uint8Array(rates.buffer, rates.byteOffset, rates.byteLength));
      } finally {
        await handle.close();
      }
      await rename(temporary, file);
    },
  };
}

async function readBytes(file: string): Promise<Buffer | null> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stat = await handle.stat();
    return stat.isFile() && stat.size <= maxBytes ? await handle.readFile() : null;
  } catch {
    return null;
  } finally {
    await handle?.close();
  }
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
