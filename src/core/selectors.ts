import { containerNamespace, type LabelSelector, namespaceKey, plainKey, type SelectorRequirement } from '../model/selector.ts';

/** Whether a selector selects a container with these labels (keys without source). */
export function selects({ matchLabels = {}, matchExpressions = [] }: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  const all: Readonly<Record<string, string>> = { ...labels, [namespaceKey]: containerNamespace };
  return (
    Object.entries(matchLabels).every(([key, value]) => labelOf(all, key) === value) && matchExpressions.every((one) => holds(one, all))
  );
}

/** What a container's labels lack to be selected, each in words; none when it is selected. */
export function lackOf({ matchLabels = {}, matchExpressions = [] }: LabelSelector, labels: Readonly<Record<string, string>>): string[] {
  const all: Readonly<Record<string, string>> = { ...labels, [namespaceKey]: containerNamespace };
  return [
    ...Object.entries(matchLabels).flatMap(([key, value]) => (labelOf(all, key) === value ? [] : [`${plainKey(key)}=${value}`])),
    ...matchExpressions.flatMap((one) =>
      holds(one, all) ? [] : [`${plainKey(one.key)} ${[one.operator, ...(one.values ?? [])].join(' ')}`],
    ),
  ];
}

function holds({ key, operator, values = [] }: SelectorRequirement, labels: Readonly<Record<string, string>>): boolean {
  return conditions[operator](labelOf(labels, key), values);
}

/** Never what every object has, such as `constructor`. */
function labelOf(labels: Readonly<Record<string, string>>, key: string): string | undefined {
  const plain = plainKey(key);
  return Object.hasOwn(labels, plain) ? labels[plain] : undefined;
}

/** A label that is not there satisfies NotIn, as in Kubernetes. */
const conditions: Record<SelectorRequirement['operator'], (value: string | undefined, values: readonly string[]) => boolean> = {
  In: (value, values) => value !== undefined && values.includes(value),
  NotIn: (value, values) => value === undefined || !values.includes(value),
  Exists: (value) => value !== undefined,
  DoesNotExist: (value) => value === undefined,
};

/** The same selector without what holds for every container: that it is in the one namespace. */
export function withoutNamespace({ matchLabels, matchExpressions }: LabelSelector): LabelSelector {
  const labels = Object.entries(matchLabels ?? {}).filter(([key]) => plainKey(key) !== namespaceKey);
  const expressions = (matchExpressions ?? []).filter(({ key }) => plainKey(key) !== namespaceKey);
  return {
    ...(labels.length > 0 && { matchLabels: Object.fromEntries(labels) }),
    ...(expressions.length > 0 && {
      matchExpressions: expressions.map(({ key, operator, values = [] }) => ({ key, operator, ...(values.length > 0 && { values }) })),
    }),
  };
}
