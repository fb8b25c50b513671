/** net-conf.json in its ConfigMap: read, judged as agents judge it, and changed. */
import type { NetConfVerdict } from '@canal/admin-schema';
import { formatFieldError, type ParsedNetConf, parseNetConf } from '@canal/api-schema';
import { CONFIG_MAPS, isNotFound, type KubeObject, type Store, StoreError } from '@canal/store-port';
import { type Handlers, ProblemError } from '../handler.ts';
import { boundedText } from './bounded-text.ts';
import type { ClusterNodes } from './cluster-nodes.ts';
import { netConfEffects } from './net-conf-effects.ts';
import { knownNetConfFields } from './net-conf-fields.ts';
import { storeProblem } from './store-objects.ts';

export interface NetConfDeps {
  readonly store: Store;
  readonly nodes: ClusterNodes;
  /** Where the ConfigMap is. */
  readonly configMap: { readonly namespace: string; readonly name: string };
}

const KEY = 'net-conf.json';
const MAX_TEXT = 500;
const MAX_LINES = 200;
/** As the schema has it. */
const MAX_KEY = 64;

interface Stored {
  /** Undefined: the ConfigMap has no such key. */
  readonly text: string | undefined;
  readonly resourceVersion: string;
}

type Verdict = Pick<NetConfVerdict, 'problems' | 'warnings' | 'effects'>;

export function netConfHandlers(deps: NetConfDeps): Pick<Handlers, 'getNetConf' | 'validateNetConf' | 'putNetConf'> {
  const { store, configMap } = deps;
  const { namespace, name } = configMap;
  const object = `ConfigMap ${namespace}/${name}`;
  return {
    async getNetConf() {
      const { text, resourceVersion } = await readStored(deps);
      if (text === undefined) throw new ProblemError('not-found', `${object} has no ${KEY}`);
      const netConf = jsonObjectOf(text);
      if (netConf === undefined) {
        const detail = `${KEY} of ${object} is no JSON object with short keys; agents keep what they had. Correct it with kubectl`;
        throw new ProblemError('conflict', detail);
      }
      return { body: { netConf }, etag: resourceVersion };
    },

    async validateNetConf({ body: { netConf } }) {
      const stored = await readStored(deps).catch((error: unknown) => {
        if (error instanceof ProblemError && error.problem === 'not-found') return undefined;
        throw error;
      });
      return { body: { applied: false, ...verdictOf(deps, stored?.text, formatted(netConf)) } };
    },

    async putNetConf({ body: { netConf }, ifMatch, dryRun }) {
      if (ifMatch === undefined) {
        throw new ProblemError('precondition-required', `give the ETag of GET /v1/config/net-conf in If-Match`);
      }
      const { text: former, resourceVersion } = await readStored(deps);
      if (!ifMatch.includes(resourceVersion)) throw changed(object);
      const text = formatted(netConf);
      const verdict = verdictOf(deps, former, text);
      if (verdict.problems.length > 0) {
        const detail = 'agents would not take it, and would keep what they have; nothing was changed';
        const errors = verdict.problems.map((problem) => ({ ...problem, pointer: `/netConf${problem.pointer}` }));
        throw new ProblemError('invalid', detail, { errors });
      }
      if (!dryRun) {
        // The version makes the server refuse it when somebody else was faster.
        const patch = { metadata: { resourceVersion }, data: { [KEY]: text } };
        const written = await store.mergePatch(CONFIG_MAPS, name, patch, { namespace }).catch((error: unknown) => {
          if (error instanceof StoreError && error.code === 'conflict') throw changed(object);
          if (isNotFound(error)) throw absent(object);
          throw storeProblem(`${object} cannot be written`, error);
        });
        return {
          body: { applied: true, ...verdict },
          etag: versionOf(written),
          audit: { object, changes: changesOf(former, text) },
        };
      }
      return {
        body: { applied: false, ...verdict },
        etag: resourceVersion,
        audit: { object, changes: changesOf(former, text) },
      };
    },
  };
}

/** As the ConfigMap has it; undefined when there is none. For reading alone. */
export async function readNetConf(deps: NetConfDeps): Promise<string | undefined> {
  return (await readStored(deps)).text;
}

async function readStored({ store, configMap: { namespace, name } }: NetConfDeps): Promise<Stored> {
  const object = `ConfigMap ${namespace}/${name}`;
  const found = await store.get(CONFIG_MAPS, name, namespace).catch((error: unknown) => {
    throw storeProblem(`${object} cannot be read`, error);
  });
  if (found === undefined) throw absent(object);
  const data: unknown = found['data'];
  const text: unknown = typeof data === 'object' && data !== null ? Reflect.get(data, KEY) : undefined;
  return { text: typeof text === 'string' ? text : undefined, resourceVersion: versionOf(found) };
}

function versionOf({ metadata }: KubeObject): string {
  return metadata.resourceVersion ?? '';
}

function absent(object: string): ProblemError {
  return new ProblemError('not-found', `there is no ${object}`);
}

function changed(object: string): ProblemError {
  return new ProblemError('precondition-failed', `${object} has changed since it was read: read it again`);
}

function formatted(netConf: object): string {
  return `${JSON.stringify(netConf, undefined, 2)}\n`;
}

type NetConfObject = Parameters<Handlers['putNetConf']>[0]['body']['netConf'];

function jsonObjectOf(text: string): NetConfObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    return Object.keys(value).some((key) => key.length > MAX_KEY) ? undefined : (value as NetConfObject);
  } catch {
    return undefined;
  }
}

function verdictOf({ nodes }: NetConfDeps, former: string | undefined, text: string): Verdict {
  const parsed = parseNetConf(text);
  if (!parsed.ok) {
    const problems = parsed.error.map((error) => ({
      pointer: error.field === '' ? '' : `/${error.field.replaceAll('.', '/')}`,
      detail: boundedText(formatFieldError(error), MAX_TEXT),
    }));
    return { problems, warnings: [], effects: [] };
  }
  const before = former === undefined ? undefined : parseNetConf(former);
  const warnings = parsed.value.warnings.map((detail) => ({ pointer: '', detail: boundedText(detail, MAX_TEXT) }));
  return {
    problems: [],
    warnings,
    effects: effectsOf(nodes, before?.ok === true ? before.value : undefined, parsed.value),
  };
}

function effectsOf(nodes: ClusterNodes, before: ParsedNetConf | undefined, after: ParsedNetConf): string[] {
  const subnets = nodes.names().map((node) => ({ node, podCidrs: nodes.get(node)?.record?.podCidrs ?? [] }));
  return netConfEffects(before?.netConf, after.netConf, subnets);
}

/** Lines that go and lines that come. Of fields that may hold keys it is told that they change, and no more. */
function changesOf(former: string | undefined, text: string): string[] {
  const [old, now] = [former ?? '{}', text].map(toldOf);
  if (old === undefined || now === undefined) return ['it was no JSON'];
  const gone = old.lines.filter((line) => !now.lines.includes(line)).map((line) => `- ${line}`);
  const come = now.lines.filter((line) => !old.lines.includes(line)).map((line) => `+ ${line}`);
  const names = [...new Set([...old.others.keys(), ...now.others.keys()])];
  const others = names.flatMap((name) => {
    const [before, after] = [old.others.get(name), now.others.get(name)].map((value) => JSON.stringify(value));
    if (before === after) return [];
    return [`${before === undefined ? '+' : after === undefined ? '-' : '~'} ${name} (its value is left out)`];
  });
  return [...gone, ...come, ...others].slice(0, MAX_LINES).map((line) => boundedText(line, MAX_TEXT));
}

interface Told {
  readonly lines: readonly string[];
  readonly others: ReadonlyMap<string, unknown>;
}

function toldOf(text: string): Told | undefined {
  try {
    const { known, others } = knownNetConfFields(JSON.parse(text));
    // A comma tells of the line that follows.
    return { lines: formatted(known).trimEnd().split(/,?\n/), others };
  } catch {
    return undefined;
  }
}
