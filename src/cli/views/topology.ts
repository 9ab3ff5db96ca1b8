import type { Topology } from '../../model/panel-api.ts';
import type { Context } from '../context.ts';
import { state } from '../output.ts';

type Node = Topology['nodes'][number];
type Edge = Topology['edges'][number];

const branches = { unicode: ['├─ ', '└─ ', '│  '], ascii: ['|- ', '`- ', '|  '] } as const;

/** From what leads out of the node down to the containers. What is carried by two things stands below both. */
export const renderTopology =
  (context: Context) =>
  ({ nodes, edges }: Topology): string => {
    if (nodes.length === 0) return 'Nothing is configured. Write networks/NAME.yaml below the root that `pve-cni status` names.';
    const known = new Map(nodes.map((node) => [node.id, node]));
    const carried = new Map<string, Edge[]>();
    for (const edge of edges) carried.set(edge.to, [...(carried.get(edge.to) ?? []), edge]);
    const carrying = new Set(edges.map(({ from }) => from));
    const [branch, last, line] = branches[context.unicode ? 'unicode' : 'ascii'];

    const below = (id: string, indent: string, above: readonly string[]): string[] =>
      // the picture has no circles; an answer that has one must not end the command
      (above.includes(id) ? [] : (carried.get(id) ?? [])).flatMap((edge, index, all) => {
        const isLast = index === all.length - 1;
        const node = known.get(edge.from);
        const own = node ? [`${indent}${isLast ? last : branch}${words(context, node, edge)}`] : [];
        return [...own, ...below(edge.from, indent + (isLast ? '   ' : line), [...above, id])];
      });
    return nodes
      .filter(({ id }) => !carrying.has(id))
      .flatMap((node) => [words(context, node), ...below(node.id, '', [])])
      .join('\n');
  };

function words({ colours }: Context, { kind, name, vmid, detail, state: health }: Node, edge?: Edge): string {
  const who = vmid === undefined ? name : `${name} (${vmid})`;
  const label = edge?.label ? ` ${colours.dim(edge.label)}` : '';
  return `${kind} ${who}${label}  ${state(colours, health)}${detail ? `  ${colours.dim(detail)}` : ''}`;
}
