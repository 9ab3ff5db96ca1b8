/** Shapes of names, apart from the schemas so that the command and the hookscript can check them without loading zod. */
export const namePatterns = {
  /** plain decimal digits, 100 to 999999999 */
  vmid: /^[1-9][0-9]{2,8}$/,
  /** a Linux interface name: 15 bytes, no slash, colon or white space */
  ifname: /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}$/,
  /** CNI 1.1 section 1, and short enough for file names */
  network: /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/,
  /** a DNS-1123 subdomain, short enough for file names */
  policy: /^(?=.{1,200}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/,
  /** a label of DNS (RFC 1123): a Service of Cilium's agent is called so */
  service: /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
  operation: /^[a-zA-Z0-9_-]{1,64}$/,
} as const;
