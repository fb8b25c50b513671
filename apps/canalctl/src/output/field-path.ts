/** Fields of an object by a path, as kubectl's custom columns name them: the part of JSONPath that is one line of steps. */
export type FieldPath = readonly FieldStep[];

export type FieldStep =
  | { readonly type: 'field'; readonly name: string }
  /** Counted from the end when negative. */
  | { readonly type: 'item'; readonly index: number }
  | { readonly type: 'every' };

/** `.a`, `.*`, `[0]`, `[*]` or `['a.b']` at the beginning of what is left. A dot or bracket in a name has `\` before it. */
const STEP = /^(?:\.((?:[^.[\]\\]|\\.)+)|\[(-?\d{1,9}|\*)\]|\[(?:'([^']*)'|"([^"]*)")\])/;

/** `.metadata.labels.app\.kubernetes\.io/name`, `spec.ports[0].port`, `{.addresses[*]}`; undefined for what is no path. */
export function parseFieldPath(text: string): FieldPath | undefined {
  const inner = /^\{(.*)\}$/s.exec(text)?.[1] ?? text;
  let rest = inner.startsWith('.') || inner.startsWith('[') ? inner : `.${inner}`;
  const steps: FieldStep[] = [];
  while (rest !== '') {
    const found = STEP.exec(rest);
    if (found === null) return undefined;
    steps.push(stepOf(found));
    rest = rest.slice(found[0].length);
  }
  return steps;
}

function stepOf([, name, index, single, double]: RegExpExecArray): FieldStep {
  if (index === '*' || name === '*') return { type: 'every' };
  if (index !== undefined) return { type: 'item', index: Number(index) };
  return { type: 'field', name: single ?? double ?? (name ?? '').replace(/\\(.)/gs, '$1') };
}

/** All that the path leads to; nothing where a step leads nowhere. */
export function valuesAt(value: unknown, path: FieldPath): readonly unknown[] {
  return path.reduce<readonly unknown[]>((values, step) => values.flatMap((one) => next(one, step)), [value]);
}

function next(value: unknown, step: FieldStep): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  switch (step.type) {
    case 'every':
      return Object.values(value);
    case 'item': {
      const item: unknown = Array.isArray(value) ? value.at(step.index) : undefined;
      return item === undefined ? [] : [item];
    }
    case 'field':
      return Object.hasOwn(value, step.name) && !Array.isArray(value) ? [Reflect.get(value, step.name)] : [];
  }
}
