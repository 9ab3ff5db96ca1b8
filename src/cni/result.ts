import { isIP } from 'node:net';
import { z } from 'zod';
import type { CniResult, CniVersion } from '../model/cni.ts';

const printable = /^[^\p{Cc}\p{Cf}\u2028\u2029]*$/u;
const text = (max: number) => z.string().max(max).regex(printable, 'has control characters');
const count = z.number().int().min(0).max(0xffff_ffff);

/** Linux's own rule for names (dev_valid_name), and no control characters. */
const linkName = z
  .string()
  .regex(/^[!-~]{1,15}$/, 'must be a Linux interface name of at most 15 characters')
  .refine((name) => name !== '.' && name !== '..' && !/[/:]/.test(name), 'must be a Linux interface name');
const ip = z.string().refine(isAddress, 'must be an IP address');
const cidr = z.string().refine(isCidr, 'must be an address with a prefix length');
/** Go's plugins print what is not set as "" or null */
const orNothing = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (value === '' || value === null ? undefined : value), schema.optional());

const shape = z.object({
  cniVersion: z.string().optional(),
  interfaces: list(
    64,
    z.object({
      name: linkName,
      mac: orNothing(z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5,19}$/i, 'must be a hardware address')),
      mtu: orNothing(count),
      sandbox: orNothing(text(4096)),
      socketPath: orNothing(text(4096)),
      pciID: orNothing(text(64)),
    }),
  ),
  ips: list(
    256,
    z
      .object({ address: cidr, gateway: orNothing(ip), interface: orNothing(count), version: orNothing(z.enum(['4', '6'])) })
      .refine((one) => !one.version || one.version === family(one.address), { path: ['version'], error: 'is not that of the address' }),
  ),
  routes: list(
    1024,
    z.object({
      dst: cidr,
      gw: orNothing(ip),
      mtu: orNothing(count),
      advmss: orNothing(count),
      priority: orNothing(count),
      table: orNothing(count),
      scope: orNothing(count),
    }),
  ),
  dns: z.preprocess(
    (value) => value ?? {},
    z.object({
      nameservers: orNothing(z.array(ip).max(64)),
      domain: orNothing(text(253)),
      search: orNothing(z.array(text(253)).max(64)),
      options: orNothing(z.array(text(253)).max(64)),
    }),
  ),
});

/** A plugin's answer to ADD in the shape of 1.x, whatever version it spoke; keys that the specification does not know are
 *  dropped, as libcni does. An absent cniVersion means the one that was asked in (libcni, fixupResultVersion).
 *  Returns the reason when it is not a valid result. */
export function parseResult(value: unknown, version: CniVersion): CniResult | { invalid: string } {
  const parsed = shape.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { invalid: `${issue?.path.join('.') || 'the result'}: ${issue?.message}` };
  }
  const { cniVersion, interfaces, ips, routes, dns } = parsed.data;
  if (cniVersion && cniVersion !== version)
    return { invalid: `cniVersion is ${JSON.stringify(cniVersion.slice(0, 32))}, asked was ${version}` };
  const astray = ips.find((one) => one.interface !== undefined && one.interface >= interfaces.length);
  if (astray) return { invalid: `ips: ${astray.address} belongs to interface ${astray.interface} of ${interfaces.length}` };
  return clean({ cniVersion: version, interfaces, ips: ips.map(({ version: _, ...one }) => one), routes, dns });
}

/** The result as a plugin of that version expects it in `prevResult`, and as it is kept in the cache. Empty lists are
 *  left out, `ips[].version` exists before 1.0.0, the newer keys of interfaces do not (libcni, pkg/types/100). */
export function resultForVersion(result: CniResult, version: CniVersion): Record<string, unknown> {
  const old = version === '0.3.1' || version === '0.4.0';
  const { interfaces, ips, routes, dns } = result;
  return {
    cniVersion: version,
    ...(interfaces.length > 0 && {
      interfaces: old ? interfaces.map(({ name, mac, sandbox }) => clean({ name, mac, sandbox })) : interfaces,
    }),
    ...(ips.length > 0 && { ips: old ? ips.map((one) => ({ version: family(one.address), ...one })) : ips }),
    ...(routes.length > 0 && { routes }),
    ...(Object.keys(dns).length > 0 && { dns }),
  };
}

function list<T extends z.ZodType>(max: number, item: T) {
  return z.preprocess((value) => value ?? [], z.array(item).max(max));
}

function isAddress(value: string): boolean {
  // no zone: a result is not tied to an interface of the host
  return isIP(value) !== 0 && !value.includes('%');
}

function isCidr(value: string): boolean {
  const [address = '', prefix = '', ...rest] = value.split('/');
  return rest.length === 0 && isAddress(address) && /^(0|[1-9]\d{0,2})$/.test(prefix) && Number(prefix) <= (isIP(address) === 4 ? 32 : 128);
}

function family(address: string): '4' | '6' {
  return address.includes(':') ? '6' : '4';
}

/** without the keys whose value is undefined */
function clean<T>(value: unknown): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
