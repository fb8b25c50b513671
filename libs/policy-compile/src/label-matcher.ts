/** A selector over the labels of classes, as numbers. */
import type { LabelRequirement, LabelSelector } from '@canal/model';
import type { LabelDictionary, LabelId, LabelKey } from './label-dictionary.ts';

type Requirement =
  /** Whether one of the labels is there. `many`: the same labels, when they are too many to be compared one by one. */
  | { readonly wanted: boolean; readonly labels: readonly LabelId[]; readonly many: ReadonlySet<LabelId> | undefined }
  /** Whether a label of the key is there. */
  | { readonly wanted: boolean; readonly key: LabelKey };

const FEW = 16;

export class LabelMatcher {
  readonly #dictionary: LabelDictionary;
  readonly #requirements: readonly Requirement[];

  /** Holds the labels and keys in the dictionary until it is released. */
  constructor(selector: LabelSelector, dictionary: LabelDictionary) {
    this.#dictionary = dictionary;
    this.#requirements = selector.map((requirement) => compile(requirement, dictionary));
  }

  release(): void {
    for (const requirement of this.#requirements) {
      if ('labels' in requirement) for (const label of requirement.labels) this.#dictionary.drop(label);
      else this.#dictionary.releaseKey(requirement.key);
    }
  }

  /** Every match has one of these labels; each is told once. Undefined: the selector demands no label in particular. */
  get demanded(): readonly LabelId[] | undefined {
    for (const requirement of this.#requirements) {
      if (requirement.wanted && 'labels' in requirement) return requirement.labels;
    }
    return undefined;
  }

  /** Of PodClasses.packedLabels. */
  matches(packed: readonly number[]): boolean {
    for (const requirement of this.#requirements) {
      if (this.#holds(requirement, packed) !== requirement.wanted) return false;
    }
    return true;
  }

  #holds(requirement: Requirement, packed: readonly number[]): boolean {
    for (let index = 0; index < packed.length / 2; index++) {
      const label = packed[index] as LabelId;
      if ('labels' in requirement) {
        if (requirement.many?.has(label) ?? requirement.labels.includes(label)) return true;
      } else if (this.#dictionary.keyOf(label) === requirement.key) {
        return true;
      }
    }
    return false;
  }
}

function compile(requirement: LabelRequirement, dictionary: LabelDictionary): Requirement {
  const { key, operator } = requirement;
  switch (operator) {
    case 'In':
    case 'NotIn': {
      const labels = [...new Set(requirement.values)].map((value) => dictionary.take(key, value));
      return { wanted: operator === 'In', labels, many: labels.length > FEW ? new Set(labels) : undefined };
    }
    case 'Exists':
    case 'DoesNotExist':
      return { wanted: operator === 'Exists', key: dictionary.holdKey(key) };
  }
}
