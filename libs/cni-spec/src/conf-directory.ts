/** A runtime's directory of configurations, as libcni reads it (libcni/conf.go, ConfFiles). */
import { isJsonObject, type JsonObject, parseJson } from './json-fields.ts';

/** By extension alone: names that begin with a dot are read as well. */
export function isConfFileName(name: string): boolean {
  return /\.(?:conf|conflist|json)$/.test(name);
}

/** The types of the plugins that a list, or a file with a single plugin, calls; undefined when no runtime can use it. */
export function pluginTypesOf(text: string): readonly string[] | undefined {
  const json = parseJson(text);
  if (!json.ok || !isJsonObject(json.value)) return undefined;
  const types = [json.value, ...pluginsOf(json.value)].map(pluginTypeOf).filter((type) => type !== '');
  return types.length === 0 ? undefined : types;
}

export function pluginsOf(json: JsonObject): readonly JsonObject[] {
  const plugins: unknown = json['plugins'];
  return Array.isArray(plugins) ? (plugins as JsonObject[]).filter(isJsonObject) : [];
}

/** Empty when it has none. */
export function pluginTypeOf({ type }: JsonObject): string {
  return typeof type === 'string' ? type : '';
}
