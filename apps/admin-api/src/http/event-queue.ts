/** What waits for one reader of a stream: bounded; when it is full all of it gives way to one `resync`. */
export interface QueuedEvent {
  readonly id: string;
  /** As it goes over the wire. */
  readonly text: string;
}

const MAX_EVENTS = 512;
const MAX_CHARS = 256 * 1024;

export class EventQueue {
  readonly #resync: (id: string) => string;
  #events: QueuedEvent[] = [];
  #chars = 0;
  /** Id of the last event that was left out. */
  #lost: string | undefined;

  constructor(resync: (id: string) => string) {
    this.#resync = resync;
  }

  push(event: QueuedEvent): void {
    if (this.#events.length >= MAX_EVENTS || this.#chars + event.text.length > MAX_CHARS) {
      this.#events = [];
      this.#chars = 0;
      this.#lost = event.id;
      return;
    }
    this.#events.push(event);
    this.#chars += event.text.length;
  }

  /** All that waits, as one text; empty when nothing does. */
  take(): string {
    const lost = this.#lost === undefined ? '' : this.#resync(this.#lost);
    const text = lost + this.#events.map((event) => event.text).join('');
    this.#events = [];
    this.#chars = 0;
    this.#lost = undefined;
    return text;
  }

  get isEmpty(): boolean {
    return this.#events.length === 0 && this.#lost === undefined;
  }
}
