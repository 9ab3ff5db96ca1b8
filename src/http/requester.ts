import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import type { Requester } from '../model/operation.ts';
import { parsed } from './validation.ts';

/** Headers that say who asks. The doors set them; what they hold goes into the audit log, so it is checked like a body. */
export const requesterHeaders = z.object({
  'x-pve-cni-door': z
    .enum(['lxc-hook', 'hookscript', 'cli', 'api'])
    .default('api')
    .meta({ description: 'which door the request came through' }),
  'x-pve-cni-user': z
    .string()
    .regex(/^[^\s\p{C}:/\\"'<>]{1,128}$/u, 'must be a user name such as root@pam or ci@pve!token')
    .default('root')
    .meta({ description: 'who asked, as the door names it' }),
  'x-pve-cni-upid': z
    .string()
    .regex(/^UPID:[a-zA-Z0-9.-]{1,63}:[0-9A-Fa-f]{8,9}:[0-9A-Fa-f]{8,9}:[0-9A-Fa-f]{8}:[^\s\p{C}]{1,128}$/u, 'must be a UPID of Proxmox')
    .optional()
    .meta({ description: 'task of Proxmox that the request belongs to' }),
});

// W3C Trace Context 3.2: a header that is malformed is ignored, never an error
const traceparentPattern = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** @throws ConfigurationError REQUEST_INVALID naming the header */
export function requesterOf(headers: IncomingHttpHeaders): Requester {
  const { 'x-pve-cni-door': door, 'x-pve-cni-user': user, 'x-pve-cni-upid': upid } = parsed(requesterHeaders, headers, 'header');
  const { traceparent } = headers;
  return {
    door,
    user,
    ...(upid !== undefined && { upid }),
    ...(typeof traceparent === 'string' && traceparentPattern.test(traceparent) && { traceparent }),
  };
}
