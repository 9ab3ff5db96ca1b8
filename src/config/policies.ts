import { policyOf } from '../core/agent-policy.ts';
import { type PolicyIssue, policyIssues } from '../core/policy-issues.ts';
import { failure } from '../model/errors.ts';
import { type Policy, policyFile, policyKinds } from '../model/policy.ts';
import { type Issue, refusal, validate } from './validate.ts';
import { parseYaml } from './yaml.ts';

/** policies/NAME.yaml. @throws ConfigurationError naming file, field and what is allowed */
export function parsePolicy(text: string, file: string): Policy {
  const value = parseYaml(text, file);
  refuseOthers(value, file);
  const object = validate(policyFile, value, file);
  const issues = policyIssues(object);
  if (issues.length > 0) throw refusal(file, issues, { policy: object.metadata.name });
  return policyOf(file, object);
}

/** Kinds that people have beside policies: refused by name, before their fields are. */
function refuseOthers(value: unknown, file: string): void {
  const { kind } = (value ?? {}) as { kind?: unknown };
  const why = typeof kind === 'string' && Object.hasOwn(others, kind) ? others[kind] : undefined;
  if (why)
    throw failure('UNSUPPORTED', `${file}: kind ${kind} would not be enforced: ${why}; allowed are ${policyKinds.join(', ')}`, {
      path: file,
      field: 'kind',
    });
}

const others: Record<string, string> = {
  CiliumEnvoyConfig: 'it needs the proxy Envoy',
  CiliumClusterwideEnvoyConfig: 'it needs the proxy Envoy',
  CiliumCIDRGroup: 'the agent reads it from Kubernetes only; write the ranges into the policy',
  CiliumLocalRedirectPolicy: 'the agent reads it from Kubernetes only',
  CiliumEgressGatewayPolicy: 'the agent reads it from Kubernetes only',
  AdminNetworkPolicy: 'the agent reads it from Kubernetes only; write CiliumClusterwideNetworkPolicy',
  BaselineAdminNetworkPolicy: 'the agent reads it from Kubernetes only; write CiliumClusterwideNetworkPolicy',
  ClusterNetworkPolicy: 'the agent reads it from Kubernetes only; write CiliumClusterwideNetworkPolicy',
};

/** Why a policy cannot serve on this node beside those that do; null when it can. */
export function policyConflict(
  policy: Policy,
  serving: ReadonlyMap<string, Policy>,
  nodeIssues: (policy: Policy) => PolicyIssue[],
): Issue[] | null {
  const earlier = serving.get(policy.name);
  if (earlier)
    return [
      {
        field: 'metadata.name',
        message: `${policy.name} is the name of the policy in ${earlier.file} too; rename one of the two`,
        code: 'CONFIG_DUPLICATE',
      },
    ];
  const issues = nodeIssues(policy);
  return issues.length > 0 ? issues : null;
}

export function policyPath(name: string): string {
  return `policies/${name}.yaml`;
}
