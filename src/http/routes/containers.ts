import { z } from 'zod';
import { attachRequest, changeView, checkView, containerCheckRequest, containerView, protectRequest } from '../../model/api.ts';
import { failure } from '../../model/errors.ts';
import { labelChange } from '../../model/labels.ts';
import { ifname, vmidText } from '../../model/names.ts';
import { route } from '../route.ts';

const params = z.strictObject({ vmid: vmidText });

export const containerRoutes = [
  route({
    method: 'get',
    path: '/v1/containers',
    tag: 'containers',
    summary: 'All managed containers, with their interfaces',
    answer: z.array(containerView),
    handle: ({ manager }) => manager.containers(),
  }),
  route({
    method: 'get',
    path: '/v1/containers/:vmid',
    tag: 'containers',
    summary: 'One container',
    params,
    answer: containerView,
    errors: ['CONTAINER_UNKNOWN'],
    handle: ({ manager }, { params }) => manager.container(params.vmid),
  }),
  route({
    method: 'post',
    path: '/v1/containers/:vmid/interfaces',
    tag: 'containers',
    summary: 'Configure an interface, and attach it at once when the container runs',
    params,
    body: attachRequest,
    answer: changeView,
    errors: [
      'NETWORK_UNKNOWN',
      'CONTAINER_GONE',
      'INTERFACE_EXISTS',
      'IPAM_ADDRESS_TAKEN',
      'IPAM_ADDRESS_OUTSIDE',
      'CONFLICT',
      'CONFIG_UNAVAILABLE',
    ],
    handle: ({ manager }, { params, body, requester }) => manager.attach(params.vmid, body, requester),
  }),
  route({
    method: 'put',
    path: '/v1/containers/:vmid/interfaces/:ifname',
    tag: 'containers',
    summary: 'Change an interface that is configured, at once when the container runs; it keeps its name',
    params: params.extend({ ifname }),
    body: attachRequest,
    answer: changeView,
    errors: ['INTERFACE_UNKNOWN', 'NETWORK_UNKNOWN', 'IPAM_ADDRESS_TAKEN', 'IPAM_ADDRESS_OUTSIDE', 'CONFIG_INVALID', 'CONFIG_UNAVAILABLE'],
    async handle({ manager }, { params: { vmid, ifname }, body, requester }) {
      if (body.interface.name === ifname) return manager.change(vmid, ifname, body, requester);
      throw failure(
        'REQUEST_INVALID',
        `cannot take the body of the request: interface.name: must be ${ifname}; an interface keeps its name`,
        {
          vmid,
          ifname,
          field: 'interface.name',
        },
      );
    },
  }),
  route({
    method: 'delete',
    path: '/v1/containers/:vmid/interfaces/:ifname',
    tag: 'containers',
    summary: 'Detach an interface and remove it from the configuration',
    params: params.extend({ ifname }),
    answer: changeView,
    errors: ['CONTAINER_UNKNOWN', 'INTERFACE_UNKNOWN', 'CONFIG_UNAVAILABLE'],
    handle: ({ manager }, { params, requester }) => manager.detach(params.vmid, params.ifname, requester),
  }),
  route({
    method: 'post',
    path: '/v1/containers/:vmid/restore',
    tag: 'containers',
    summary: 'Give a container back the networks and addresses that were archived when one of its number was destroyed',
    params,
    answer: changeView,
    errors: ['CONTAINER_UNKNOWN', 'CONTAINER_GONE', 'CONFIG_DUPLICATE', 'IPAM_ADDRESS_TAKEN', 'CONFIG_UNAVAILABLE'],
    handle: ({ manager }, { params, requester }) => manager.restore(params.vmid, requester),
  }),
  route({
    method: 'post',
    path: '/v1/containers/:vmid/labels',
    tag: 'containers',
    summary: 'Change the labels of a container, in its configuration',
    params,
    body: labelChange,
    answer: changeView,
    errors: ['CONTAINER_UNKNOWN', 'CONFIG_INVALID', 'CONFIG_UNAVAILABLE'],
    handle: ({ manager }, { params, body, requester }) => manager.label(params.vmid, body, requester),
  }),
  ...(['protect', 'unprotect'] as const).map((verb) =>
    route({
      method: 'post',
      path: `/v1/containers/:vmid/${verb}`,
      tag: 'containers',
      summary: {
        protect: 'Put Cilium onto a bridged interface that the container has: identity and policy, the same address',
        unprotect: 'Take Cilium off such an interface, which is then what it was',
      }[verb],
      params,
      body: protectRequest,
      answer: changeView,
      errors: ['INTERFACE_UNKNOWN', 'INTERFACE_EXISTS', 'INTERFACE_CONFLICT', 'UNSUPPORTED', 'CILIUM_UNAVAILABLE'],
      handle: ({ manager }, { params, body, requester }) => manager[verb](params.vmid, body.ifname ?? null, requester),
    }),
  ),
  route({
    method: 'post',
    path: '/v1/containers/:vmid/check',
    tag: 'containers',
    summary: 'CHECK every interface of a container; with repair, make right what is not',
    params,
    body: containerCheckRequest,
    answer: checkView,
    errors: ['CONTAINER_UNKNOWN'],
    handle: ({ manager }, { params, body, requester }) => manager.checkContainer(params.vmid, body, requester),
  }),
];
