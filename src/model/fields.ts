import { z } from 'zod';

const ipv4 = z.ipv4();
const ipv6 = z.ipv6();
export const ipAddress = z.union([ipv4, ipv6], { error: 'must be an IPv4 or IPv6 address' });
export const cidr = z.union([z.cidrv4(), z.cidrv6()], { error: 'must be an address with a prefix length, such as 10.20.0.0/24' });

/** Marker in zod's custom issues: the key or value is known and its effect is not built yet. */
export const unsupportedIssue = 'UNSUPPORTED';

/** Which schemas are of that kind, for the reference and the lists of allowed keys, which leave them out. */
export const notBuilt = z.registry<{ what: string }>();

/** A key, or some values of it, whose effect comes with a later version: refused, never ignored.
 *  Without `values` anything is refused; with `values` only those (others fail as ordinary bad values). */
export function later(what: string, values?: readonly string[]) {
  const known = values ? z.enum(values as [string, ...string[]]) : z.unknown().refine((value) => value !== undefined);
  const refused = known.superRefine((_value, context) => {
    context.addIssue({ code: 'custom', message: `${what} is not supported yet`, params: { code: unsupportedIssue } });
  }) as unknown as z.ZodType<never>;
  return refused.register(notBuilt, { what });
}

/** A key, or some values of it, that others know and nothing here would enforce: refused with the reason, never ignored. */
export function unenforced(why: string, values?: readonly string[]) {
  const known = values ? z.enum(values as [string, ...string[]]) : z.unknown().refine((value) => value !== undefined);
  const refused = known.superRefine((_value, context) => {
    context.addIssue({ code: 'custom', message: `would not be enforced: ${why}`, params: { code: unsupportedIssue } });
  }) as unknown as z.ZodType<never>;
  return refused.register(notBuilt, { what: why });
}
