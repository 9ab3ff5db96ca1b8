import type { Explanation } from '../model/explain-api.ts';
import type { Policy } from '../model/policy.ts';
import { type AnyRule, closedBy, type Direction, type Flow, type Peer, type Saying, sayingsOf } from './policy-verdict.ts';
import { lackOf } from './selectors.ts';

/** Why policies let a connection through, or not, in words, and which rule is nearest to allowing it. */

/** One end of a connection. */
export interface End {
  /** container 101 */
  text: string;
  peer: Peer;
  /** whether something enforces policies there; only of containers */
  covered: boolean;
}

type Rule = NonNullable<Explanation['by']>;
interface Opinion {
  allowed: boolean;
  by: Rule | null;
  why: string;
  nearest: Explanation['nearest'];
}

/** What the sender may send and the receiver may receive: both have a word, the sender first. Ends that are no containers have none. */
export function explain(policies: readonly Policy[], from: End, to: End, flow: Flow): Explanation {
  const opinions = [opinionOf(policies, from, 'egress', to, flow), opinionOf(policies, to, 'ingress', from, flow)];
  const objection = opinions.find((one) => one && !one.allowed);
  // the receiver's rule is the one that people mean
  const deciding = objection ?? opinions.toReversed().find((one) => one?.by) ?? null;
  const uncovered = [from, to].filter(({ peer, covered }) => peer.kind === 'container' && !covered);
  const enforced = uncovered.length === 0;
  const where = uncovered.map(({ text }) => text).join(' and ');
  const sentence = [
    `${from.text} ${objection ? 'may not' : 'may'} reach ${to.text} at ${textOf(flow)}: ${deciding?.why ?? 'no policy speaks of it'}`,
    ...(enforced ? [] : [`nothing enforces policies at ${where}`]),
  ].join('; ');
  return {
    verdict: objection ? 'deny' : 'allow',
    enforced,
    by: deciding?.by ?? null,
    sentence,
    nearest: objection?.nearest ?? null,
  };
}

function opinionOf(policies: readonly Policy[], { peer: own, text }: End, direction: Direction, other: End, flow: Flow): Opinion | null {
  if (own.kind !== 'container') return null;
  const { labels } = own;
  const sayings = sayingsOf(policies, labels, direction, other.peer, flow);
  const said = (deny: boolean) => sayings.find((one) => one.deny === deny && one.isAboutPeer && one.isAboutFlow);
  const [denying, allowing] = [said(true), said(false)];
  if (denying) return { allowed: false, by: ruleOf(denying), why: `${nameOf(denying)} denies it`, nearest: null };
  if (allowing) return { allowed: true, by: ruleOf(allowing), why: `${nameOf(allowing)} allows it`, nearest: null };
  const closing = closedBy(policies, labels, direction);
  if (closing === null) return { allowed: true, by: null, why: '', nearest: null };
  const what = direction === 'ingress' ? `what ${text} receives` : `what ${text} sends`;
  return {
    allowed: false,
    by: { policy: closing, rule: null },
    why: `policy ${closing} closes ${what}, and no rule allows it`,
    nearest: nearestOf(sayings, direction, other, flow),
  };
}

function ruleOf({ policy, rule }: Saying): Rule {
  return { policy, rule };
}

function nameOf({ policy, rule }: Saying): string {
  return `${rule} of policy ${policy}`;
}

/** One that is about the peer and lacks the port; else one about the port whose peers the other end is nearest to. */
function nearestOf(sayings: readonly Saying[], direction: Direction, other: End, flow: Flow): Explanation['nearest'] {
  const allowing = sayings.filter(({ deny }) => !deny);
  const ofPeer = allowing.find((one) => one.isAboutPeer);
  if (ofPeer) return { ...ruleOf(ofPeer), change: `add ${textOf(flow)} to ${ofPeer.says.icmps ? 'a rule beside it' : 'its ports'}` };
  const [ofFlow] = allowing
    .filter((one) => one.isAboutFlow)
    .flatMap((one) => {
      const change = changeOfPeer(one.says, direction, other);
      return change ? [{ ...ruleOf(one), ...change }] : [];
    })
    .sort((one, another) => one.distance - another.distance);
  return ofFlow ? { policy: ofFlow.policy, rule: ofFlow.rule, change: ofFlow.change } : null;
}

/** What would make a rule be about the other end, and how much that is; null: it names nobody like it. */
function changeOfPeer(rule: AnyRule, direction: Direction, { peer, text }: End): { change: string; distance: number } | null {
  const side = direction === 'ingress' ? 'from' : 'to';
  const endpoints = rule.fromEndpoints ?? rule.toEndpoints;
  if (peer.kind === 'container') {
    const [least] = (endpoints ?? []).map((selector) => lackOf(selector, peer.labels)).sort((one, another) => one.length - another.length);
    return least ? { change: `${text} would have to have ${least.join(', ')}`, distance: least.length } : null;
  }
  const name = peer.kind === 'entity' ? peer.name : peer.cidr;
  if (peer.kind === 'entity' && (rule.fromEntities ?? rule.toEntities)) return { change: `add ${name} to ${side}Entities`, distance: 1 };
  if (peer.kind === 'range' && (rule.fromCIDR ?? rule.toCIDR)) return { change: `add ${name} to ${side}CIDR`, distance: 1 };
  if (peer.kind === 'range' && (rule.fromCIDRSet ?? rule.toCIDRSet)) return { change: `add ${name} to ${side}CIDRSet`, distance: 1 };
  return null;
}

function textOf({ protocol, port }: Flow): string {
  return protocol === 'TCP' || protocol === 'UDP' ? `${protocol.toLowerCase()}/${port}` : `${protocol.toLowerCase()} type ${port}`;
}
