import type { CniAttachment, CniResult } from './cni.ts';
import type { ErrorRecord } from './errors.ts';

/** Phases of an attachment and the moves between them; any other move is a defect. */
export const attachmentMoves = {
  absent: ['adding'],
  adding: ['attached', 'removing', 'adding', 'waiting'],
  // gated: its policy can only come into force once it has an address, or once the agent is back
  waiting: ['adding', 'removing', 'waiting'],
  attached: ['degraded', 'removing', 'adding'],
  degraded: ['attached', 'removing', 'adding'],
  removing: ['absent', 'removing', 'adding', 'waiting'],
} as const;
export type AttachmentPhase = Exclude<keyof typeof attachmentMoves, 'absent'>;

/** One life of a container: from one start of its init to the end of that init. An inside reboot begins a new one. */
export interface Life {
  vmid: number;
  /** counts lives of this vmid on this node, from 1 */
  generation: number;
  /** CNI_CONTAINERID of this life: first 16 hex digits of sha256(node, vmid, generation) */
  containerId: string;
  bootId: string;
  initPid: number;
  /** field 22 of /proc/PID/stat, in clock ticks since boot: tells the pid from a later owner of the same number */
  initStartTime: string;
  /** where the namespace is pinned; '' once it is not */
  netnsPath: string;
}

/** The journal's unit: an interface of a container on a network, in one life. Written before the first plugin runs. */
export interface Attachment {
  vmid: number;
  ifname: string;
  network: string;
  phase: AttachmentPhase;
  containerId: string;
  bootId: string;
  /** exactly what ADD was given, so that DEL is given the same */
  request: CniAttachment;
  /** what ADD answered; null until then */
  result: CniResult | null;
  /** addresses without prefix length, for people and for I2 */
  addresses: string[];
  mac: string;
  hostInterface: string;
  error: ErrorRecord | null;
  /** epoch ms */
  since: number;
}

/** An undone clean-up that will be retried. Never an obstacle to a stop. */
export interface Debt {
  id: number;
  vmid: number;
  ifname: string;
  network: string;
  containerId: string;
  /** what DEL must be given; its `netns` is where the pin was moved to, or '' */
  request: CniAttachment;
  result: CniResult | null;
  reason: ErrorRecord;
  attempts: number;
  /** epoch ms */
  since: number;
  nextTryAt: number;
}

/** Who holds an address. `kept`: its container is destroyed and the address is held back until `releaseAt`. */
export interface AddressReservation {
  network: string;
  /** canonical text without prefix length */
  address: string;
  vmid: number;
  ifname: string;
  state: 'reserved' | 'kept';
  /** epoch ms */
  since: number;
  releaseAt: number | null;
  /** node that reserved it */
  node?: string;
  /** its release has begun and must be completed */
  releasing?: true;
}
