import { z } from 'zod';
import { type DumpedEntry, entryOf, type MapEntry } from '../core/policy-map.ts';
import { failure } from '../model/errors.ts';

/** `cilium-dbg bpf policy get ID -n -o json` of Cilium 1.20. */
export const policyDump = z
  .array(
    z.looseObject({
      Flags: z.number().int().min(0).max(255),
      Precedence: z.number().int().default(0),
      Packets: z.number().optional(),
      Bytes: z.number().optional(),
      Key: z.looseObject({
        Identity: z.number().int(),
        TrafficDirection: z.number().int(),
        Nexthdr: z.number().int(),
        DestPortNetwork: z.number().int().min(0).max(65535),
      }),
    }),
  )
  .nullable();

/** The entries by which the eBPF programs of an endpoint decide.
 *  @throws InterfaceError TOOL_MISSING, TOOL_FAILED; CNIError CILIUM_API_FAILED for another print */
export async function readPolicyMap(
  run: (argv: readonly [string, ...string[]]) => Promise<string>,
  tool: string,
  endpoint: number,
): Promise<MapEntry[]> {
  const text = await run([tool, 'bpf', 'policy', 'get', String(endpoint), '-n', '-o', 'json']);
  let value: unknown = null;
  try {
    value = JSON.parse(text.trim() === '' ? '[]' : text);
  } catch {
    // refused below
  }
  const parsed = policyDump.safeParse(value);
  if (!parsed.success)
    throw failure(
      'CILIUM_API_FAILED',
      `cilium-dbg printed something else of the policy map of endpoint ${endpoint} than Cilium 1.20 does`,
      {
        endpoint,
      },
    );
  return (parsed.data ?? []).map((one) => entryOf(one satisfies DumpedEntry));
}
