/** Metrics of Cilium's agent, as its page has them, for our own page: only whole lines of its own families pass, so that whoever answers
 *  on the agent's port can neither break the page nor say anything in our name. */

/** Which container an endpoint of the agent is. */
export type EndpointName = (endpoint: number) => { vmid: number; name: string } | undefined;

const family = '(?:cilium|hubble)_[a-zA-Z0-9_:]{1,200}';
const labels = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\]|\\\\["\\\\n])*"';
const comment = new RegExp(`^# (HELP|TYPE) (${family}) .*$`);
const sample = new RegExp(`^(${family})(?:\\{(${labels}(?:,${labels})*),?\\})? ([-+]?(?:[0-9.]+(?:[eE][-+]?[0-9]+)?|Inf)|NaN)$`);

/** Labels that hold the number of an endpoint; and names of maps, which end with it when the map is of one endpoint. */
const endpointLabel = /(?:^|,)(?:endpoint|endpoint_id|ep_id)="(\d{1,6})"/;
const endpointMap = /(?:^|,)map_name="cilium_(?:policy|calls)[a-z0-9_]*_(\d{5})"/;

const maxLines = 50_000;

/** The lines that pass, with `vmid` and `container` added where one is of a container's endpoint. */
export function agentMetrics(page: string, nameOf: EndpointName): string {
  const described = new Set<string>();
  const passed: string[] = [];
  for (const line of page.split('\n', maxLines)) {
    const said = comment.exec(line);
    if (said) {
      const once = `${said[1]} ${said[2]}`;
      if (!described.has(once)) passed.push(line);
      described.add(once);
      continue;
    }
    const [, name, given = '', value] = sample.exec(line) ?? [];
    if (name === undefined) continue;
    const all = [given, ownLabels(given, nameOf)].filter(Boolean).join(',');
    passed.push(`${name}${all && `{${all}}`} ${value}`);
  }
  return passed.length > 0 ? `${passed.join('\n')}\n` : '';
}

function ownLabels(given: string, nameOf: EndpointName): string {
  const number = (endpointLabel.exec(given) ?? endpointMap.exec(given))?.[1];
  const container = number === undefined ? undefined : nameOf(Number(number));
  return container ? `vmid="${container.vmid}",container="${escaped(container.name)}"` : '';
}

function escaped(text: string): string {
  return text.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n');
}
