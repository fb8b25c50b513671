/** Labels as far as selectors look at them: objects that no selector tells apart have one number. */
import { type Labels, type LabelSelector, selects } from '@canal/model';

export type SelectorId = number;
export type LabelSetId = number;

const NO = 1;
const YES = 2;

export class LabelSpace {
  /** By key the values that selectors name; any other value is as good as another. */
  readonly #seen = new Map<string, Set<string>>();
  readonly #selectors: LabelSelector[] = [];
  readonly #selectorIds = new Map<string, SelectorId>();
  readonly #sets: Labels[] = [];
  readonly #setIds = new Map<string, LabelSetId>();
  readonly #answers: Uint8Array[] = [];

  /** All selectors come before the first labels. */
  selector(selector: LabelSelector): SelectorId {
    const text = selectorText(selector);
    let id = this.#selectorIds.get(text);
    if (id === undefined) {
      id = this.#selectors.push(selector) - 1;
      this.#selectorIds.set(text, id);
      for (const requirement of selector) this.#see(requirement.key, 'values' in requirement ? requirement.values : []);
    }
    return id;
  }

  #see(key: string, values: readonly string[]): void {
    let seen = this.#seen.get(key);
    if (seen === undefined) this.#seen.set(key, (seen = new Set()));
    for (const value of values) seen.add(value);
  }

  labelSet(labels: Labels): LabelSetId {
    const visible: (string | number)[] = [];
    for (const key of Object.keys(labels).sort()) {
      const values = this.#seen.get(key);
      if (values !== undefined) visible.push(key, values.has(labels[key] as string) ? (labels[key] as string) : 0);
    }
    const text = JSON.stringify(visible);
    let id = this.#setIds.get(text);
    if (id === undefined) {
      id = this.#sets.push(labels) - 1;
      this.#setIds.set(text, id);
    }
    return id;
  }

  holds(selector: SelectorId, set: LabelSetId): boolean {
    let answers = this.#answers[selector];
    if (answers === undefined || answers.length <= set) {
      const longer = new Uint8Array(this.#sets.length * 2);
      if (answers !== undefined) longer.set(answers);
      this.#answers[selector] = answers = longer;
    }
    if (answers[set] === 0) {
      answers[set] = selects(this.#selectors[selector] as LabelSelector, this.#sets[set] as Labels) ? YES : NO;
    }
    return answers[set] === YES;
  }
}

function selectorText(selector: LabelSelector): string {
  return JSON.stringify(
    selector.map((requirement) => [
      requirement.key,
      requirement.operator,
      ...('values' in requirement ? requirement.values : []),
    ]),
  );
}
