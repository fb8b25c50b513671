import type { RealApiServer } from './real-api-server.ts';
import { digestOf, SEQUENCE_LABEL } from './sequence.ts';

/** Creates, changes and deletes objects of one kind, and knows what a follower must show in the end. */
export class Churn {
  readonly state = new Map<string, number>();
  /** Writes that were done. */
  writes = 0;
  /** Selects the objects of this churn. */
  readonly labelSelector: string;
  readonly #server: RealApiServer;
  readonly #name: string;
  readonly #path: string;
  readonly #keyPrefix: string;
  readonly #sequences = new Map<string, number>();

  constructor(server: RealApiServer, kind: 'nodes' | 'configmaps', name: string) {
    this.#server = server;
    this.#name = name;
    this.labelSelector = `churn=${name}`;
    this.#path = kind === 'nodes' ? '/api/v1/nodes' : '/api/v1/namespaces/default/configmaps';
    this.#keyPrefix = kind === 'nodes' ? '' : 'default/';
  }

  get digest(): string {
    return digestOf(this.state);
  }

  /** Creates the object, or changes it when it is there. */
  async put(name: string): Promise<void> {
    const key = this.#key(name);
    const sequence = (this.#sequences.get(key) ?? 0) + 1;
    const labels = { [SEQUENCE_LABEL]: String(sequence), churn: this.#name };
    const metadata = { name: this.#objectName(name), labels };
    if (this.state.has(key)) {
      await this.#send('PATCH', `${this.#path}/${metadata.name}`, { metadata }, 'application/merge-patch+json');
    } else {
      await this.#send('POST', this.#path, { metadata }, 'application/json');
    }
    this.#sequences.set(key, sequence);
    this.state.set(key, sequence);
  }

  async delete(name: string): Promise<void> {
    await this.#send('DELETE', `${this.#path}/${this.#objectName(name)}`);
    this.state.delete(this.#key(name));
  }

  /** One write after the other, over ten objects, until the time is over. Every 7th write deletes. */
  async run(milliseconds: number, pauseMs: number): Promise<void> {
    const end = Date.now() + milliseconds;
    for (let round = 0; Date.now() < end; round += 1) {
      const name = String(round % 10);
      if (round % 7 === 6 && this.state.has(this.#key(name))) await this.delete(name);
      else await this.put(name);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  #objectName(name: string): string {
    return `${this.#name}-${name}`;
  }

  #key(name: string): string {
    return `${this.#keyPrefix}${this.#objectName(name)}`;
  }

  async #send(method: string, path: string, body?: object, type?: string): Promise<void> {
    const response = await this.#server.request(path, {
      method,
      ...(type === undefined ? {} : { headers: { 'Content-Type': type }, body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${String(response.status)} ${text}`);
    this.writes += 1;
  }
}
