import { z } from 'zod';
import { checkView } from '../../model/api.ts';
import { explainQuery, explanation, policyDiff } from '../../model/explain-api.ts';
import { vmidText } from '../../model/names.ts';
import { containerPolicyView, policyChange, policyParams, policyReceipt, policyRequest, policyView } from '../../model/policy-api.ts';
import { route } from '../route.ts';
import { ofTexts } from './settings.ts';

export const policyRoutes = [
  route({
    method: 'get',
    path: '/v1/policies',
    tag: 'policies',
    summary: 'All policies: whether they are in force on this node, and for which containers',
    answer: z.array(policyView),
    handle: ({ manager }) => manager.policies(),
  }),
  route({
    method: 'post',
    path: '/v1/policies',
    tag: 'policies',
    summary: 'Write a policy’s file, bring it into force on this node, and say which endpoints enforce it since when',
    body: policyChange,
    answer: policyReceipt,
    errors: ofTexts,
    handle: ({ manager }, { body, requester }) => manager.applyPolicy(body, requester),
  }),
  route({
    method: 'post',
    path: '/v1/policies/check',
    tag: 'policies',
    summary: 'What would be wrong with a policy, all of it',
    body: policyRequest,
    answer: checkView,
    handle: ({ manager }, { body }) => manager.checkPolicy(body.text),
  }),
  route({
    method: 'post',
    path: '/v1/policies/diff',
    tag: 'policies',
    summary: 'What a policy would change: its text, and the containers that it is about; nothing is written',
    body: policyRequest,
    answer: policyDiff,
    handle: ({ manager }, { body }) => manager.diffPolicy(body.text),
  }),
  route({
    method: 'get',
    path: '/v1/policies/explain',
    tag: 'policies',
    summary: 'Whether policies let a connection through, and which rule says so',
    query: explainQuery,
    answer: explanation,
    errors: ['CONTAINER_UNKNOWN'],
    handle: ({ manager }, { query }) => manager.explain(query),
  }),
  route({
    method: 'get',
    path: '/v1/policies/:name',
    tag: 'policies',
    summary: 'One policy, with the text of its file',
    params: policyParams,
    answer: policyView,
    errors: ['POLICY_UNKNOWN'],
    handle: ({ manager }, { params }) => manager.policy(params.name),
  }),
  route({
    method: 'delete',
    path: '/v1/policies/:name',
    tag: 'policies',
    summary: 'Move a policy’s file to archive/, and out of force on this node',
    params: policyParams,
    answer: policyReceipt,
    errors: ['POLICY_UNKNOWN', 'CONFIG_UNAVAILABLE'],
    handle: ({ manager }, { params, requester }) => manager.removePolicy(params.name, requester),
  }),
  route({
    method: 'get',
    path: '/v1/containers/:vmid/policy',
    tag: 'policies',
    summary: 'What the kernel holds for a container, beside what the policy files say',
    params: z.strictObject({ vmid: vmidText }),
    answer: containerPolicyView,
    errors: ['CONTAINER_UNKNOWN'],
    handle: ({ manager }, { params }) => manager.containerPolicy(params.vmid),
  }),
];
