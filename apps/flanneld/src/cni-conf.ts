/**
 * The configuration that makes container runtimes call the plugin: whether a template may become it, what is to be done
 * with the file that is there, and whose files come before it.
 */
import {
  isConfFileName,
  isJsonObject,
  type JsonObject,
  parseConfList,
  parseJson,
  pluginsOf,
  pluginTypeOf,
  pluginTypesOf,
} from '@canal/cni-spec';
import { err, ok, type Result } from 'net-types';

export interface ConfTemplate {
  readonly text: string;
  readonly json: JsonObject;
}

const OWN_TYPE = 'canal';
const MODES: readonly unknown[] = [undefined, null, '', 'routed', 'bridge'];

/** The error names the field: one bad file here and the runtime has no network at all. */
export function parseConfTemplate(text: string): Result<ConfTemplate, string> {
  const list = parseConfList(text);
  if (!list.ok) return err([list.error.message, list.error.details].filter(Boolean).join(': '));
  const own = list.value.plugins.findIndex(({ type }) => type === OWN_TYPE);
  if (own === -1) return err(`plugins: none has the type ${JSON.stringify(OWN_TYPE)}`);
  const mode = list.value.plugins[own]?.raw['mode'];
  if (!MODES.includes(mode)) {
    return err(`plugins[${own}].mode: ${JSON.stringify(mode)}: expected "routed" or "bridge"`);
  }
  const json = parseJson(text);
  return json.ok && isJsonObject(json.value) ? ok({ text, json: json.value }) : err('expected a JSON object');
}

export type ConfDecision =
  | { readonly action: 'write' }
  /** `appended`: types of plugins that others have put behind ours, as service meshes do. */
  | { readonly action: 'keep'; readonly appended: readonly string[] }
  /** Another CNI's file has our name. */
  | { readonly action: 'leave'; readonly types: readonly string[] };

/**
 * `present` is the file's text, undefined when there is none. `inForce` is the template that the agent wrote or found
 * in force before: a new one replaces the file as it stands, so that a plugin taken out of the template goes.
 */
export function decideConf(
  template: ConfTemplate,
  present: string | undefined,
  inForce: string | undefined,
): ConfDecision {
  if (present === undefined) return { action: 'write' };
  const json = parseJson(present);
  // No runtime can use it, so nobody's pods depend on it: half a file of a writer that was killed.
  if (!json.ok || !isJsonObject(json.value)) return { action: 'write' };
  const types = pluginTypesOf(present) ?? [];
  if (types.length > 0 && !types.includes(OWN_TYPE)) return { action: 'leave', types };
  const appended = appendedTo(template.json, json.value);
  if (appended === undefined) return { action: 'write' };
  const isReplaced = inForce !== undefined && inForce !== template.text;
  return appended.length > 0 && isReplaced ? { action: 'write' } : { action: 'keep', appended };
}

/** Types of the plugins behind the template's own; undefined when the file differs from it in anything else. */
function appendedTo(template: JsonObject, present: JsonObject): readonly string[] | undefined {
  const wanted = pluginsOf(template);
  const found = pluginsOf(present);
  const head = { ...present, plugins: found.slice(0, wanted.length) };
  if (!Bun.deepEquals(head, template)) return undefined;
  return found.slice(wanted.length).map(pluginTypeOf);
}

/** Files that a runtime reads before `name`, in its order. containerd gives the whole directory up at a bad one. */
export function earlierConfs(name: string, names: readonly string[]): readonly string[] {
  return names.filter((other) => isConfFileName(other) && other < name).sort();
}

/** What an earlier file calls: undefined when that is canal itself, empty when no runtime can read it. */
export function foreignTypes(text: string): readonly string[] | undefined {
  const types = pluginTypesOf(text) ?? [];
  return types.includes(OWN_TYPE) ? undefined : types;
}
