/** text/event-stream as the HTML Living Standard §9.2 has it, from bytes to events. */
export interface ServerEvent {
  /** The last id that was told, also by an event before. */
  readonly id: string;
  readonly name: string;
  readonly data: string;
}

/** Bytes in pieces of any size; events as they are whole. */
export class EventStreamParser {
  /** What the server wants a client to wait for before it comes again. */
  retryMs: number | undefined;
  readonly #decoder = new TextDecoder();
  readonly #maxChars: number;
  #text = '';
  #atStart = true;
  #endsInCr = false;
  #id = '';
  #name = '';
  #data: string[] = [];
  #chars = 0;

  constructor(maxChars: number) {
    this.#maxChars = maxChars;
  }

  /** Throws RangeError for an event of more than `maxChars`. */
  push(bytes: Uint8Array): readonly ServerEvent[] {
    this.#text += this.#decoder.decode(bytes, { stream: true });
    if (this.#atStart && this.#text !== '') {
      this.#atStart = false;
      if (this.#text.startsWith('\ufeff')) this.#text = this.#text.slice(1);
    }
    const events: ServerEvent[] = [];
    for (;;) {
      // A line feed that belongs to the carriage return before it.
      if (this.#endsInCr && this.#text !== '') {
        if (this.#text.startsWith('\n')) this.#text = this.#text.slice(1);
        this.#endsInCr = false;
      }
      const end = this.#text.search(/[\r\n]/);
      if (end === -1) break;
      const line = this.#text.slice(0, end);
      this.#endsInCr = this.#text[end] === '\r';
      this.#text = this.#text.slice(end + 1);
      const event = this.#line(line);
      if (event !== undefined) events.push(event);
    }
    this.#check(this.#text.length);
    return events;
  }

  #line(line: string): ServerEvent | undefined {
    if (line === '') return this.#take();
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    this.#chars += line.length;
    this.#check(0);
    if (field === 'data') this.#data.push(value);
    else if (field === 'event') this.#name = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    else if (field === 'retry' && /^\d{1,9}$/.test(value)) this.retryMs = Number(value);
    return undefined;
  }

  #take(): ServerEvent | undefined {
    const [data, name] = [this.#data, this.#name];
    [this.#data, this.#name, this.#chars] = [[], '', 0];
    return data.length === 0
      ? undefined
      : { id: this.#id, name: name === '' ? 'message' : name, data: data.join('\n') };
  }

  #check(more: number): void {
    if (this.#chars + more > this.#maxChars) throw new RangeError(`an event of more than ${this.#maxChars} characters`);
  }
}
