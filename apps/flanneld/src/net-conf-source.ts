/** net-conf.json, followed live. New content that is wrong leaves the old in force and is reported. */
import { formatFieldError, parseNetConf } from '@canal/api-schema';
import type { NetConf } from '@canal/model';
import type { NodeProblem } from './node-problem.ts';

export interface NetConfReading {
  /** The last content that was right; absent as long as there was none. */
  readonly netConf?: NetConf;
  readonly warnings: readonly string[];
  /** What is wrong with the present content. */
  readonly problem?: NodeProblem;
}

export class NetConfSource {
  readonly #path: string;
  readonly #readFile: (path: string) => string;
  #text: string | undefined;
  #reading: NetConfReading = { warnings: [] };

  /** `readFile` gives the text or throws. */
  constructor(path: string, readFile: (path: string) => string) {
    this.#path = path;
    this.#readFile = readFile;
  }

  read(): NetConfReading {
    let text: string;
    try {
      text = this.#readFile(this.#path);
    } catch (error) {
      this.#text = undefined;
      return this.#keep(unreadable(this.#path, error));
    }
    if (text !== this.#text) {
      this.#text = text;
      this.#reading = this.#parse(text);
    }
    return this.#reading;
  }

  #parse(text: string): NetConfReading {
    const parsed = parseNetConf(text);
    if (parsed.ok) return parsed.value;
    const message = `${this.#path}: ${parsed.error.map(formatFieldError).join('; ')}`;
    const cure =
      this.#reading.netConf === undefined ? 'Correct it' : 'Correct it; until then the former content is in force';
    return this.#keep({ reason: 'InvalidNetConf', message, cure });
  }

  #keep(problem: NodeProblem): NetConfReading {
    const { netConf } = this.#reading;
    this.#reading = { ...(netConf && { netConf }), warnings: [], problem };
    return this.#reading;
  }
}

function unreadable(path: string, error: unknown): NodeProblem {
  const reason = error instanceof Error ? error.message : String(error);
  return {
    reason: 'NetConfUnreadable',
    message: `${path} cannot be read: ${reason}`,
    cure: 'Mount the ConfigMap with net-conf.json there, or name the file with --net-config-path',
  };
}
