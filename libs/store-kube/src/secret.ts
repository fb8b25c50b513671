import { inspect } from 'node:util';

/** A credential. Nothing that prints, serialises or concatenates it shows it; only `reveal` does, at the request itself. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [inspect.custom](): string {
    return MASK;
  }
}

const MASK = '[secret]';
