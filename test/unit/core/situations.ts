import type { Attachment, Life } from '../../../src/model/attachment.ts';
import type { ContainerInterface } from '../../../src/model/container.ts';

/** Records of one container for the tests of decisions. */

export const bootId = 'this-boot';

export const life: Life = {
  vmid: 101,
  generation: 3,
  containerId: 'now',
  bootId,
  initPid: 4711,
  initStartTime: '1000',
  netnsPath: '/run/netns/ct101',
};

/** the init of that life */
export const sameLife = { pid: 4711, startTime: '1000' };

export function attachment(facts: Partial<Attachment> & Pick<Attachment, 'ifname' | 'network' | 'addresses'>): Attachment {
  const containerId = facts.containerId ?? life.containerId;
  return {
    vmid: life.vmid,
    phase: 'attached',
    containerId,
    bootId,
    request: {
      conflist: { cniVersion: '1.0.0', name: facts.network, plugins: [{ type: 'bridge' }] },
      containerId,
      netns: life.netnsPath,
      ifname: facts.ifname,
      args: {},
      capabilityArgs: {},
    },
    result: null,
    mac: '02:00:00:00:00:01',
    hostInterface: 'veth0',
    error: null,
    since: 1,
    ...facts,
  };
}

export function wanted(facts: Pick<ContainerInterface, 'name' | 'network'> & Partial<ContainerInterface>): ContainerInterface {
  return { address: 'auto', ...facts };
}
