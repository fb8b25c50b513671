import { isJson, type Json } from './json.ts';
import { apiVersionOf, type ResourceDefinition } from './resource.ts';
import { renderTable } from './table.ts';

/** How objects are shown to one client: in the version of the path, plain or as a table. Takes and gives JSON texts. */
export interface ObjectView {
  object(body: string): string;
  list(metadata: object, bodies: readonly string[]): string;
}

export function plainView(resource: ResourceDefinition): ObjectView {
  const apiVersion = apiVersionOf(resource);
  // Stored texts go out as they are, unless the path names another version than they are stored in.
  const object =
    apiVersion === resource.storageApiVersion
      ? (body: string): string => body
      : (body: string): string => JSON.stringify({ ...parse(body), apiVersion });
  return {
    object,
    list: (metadata, bodies) => {
      const head = JSON.stringify({ kind: `${resource.kind}List`, apiVersion, metadata });
      return `${head.slice(0, -1)},"items":[${bodies.map(object).join(',')}]}\n`;
    },
  };
}

export function tableView(resource: ResourceDefinition, now: () => Date): ObjectView {
  const table = (metadata: object, bodies: readonly string[]): string =>
    JSON.stringify(renderTable(resource.columns, bodies.map(parse), metadata, now()));
  return {
    object: (body) => table({}, [body]),
    list: table,
  };
}

function parse(body: string): Json {
  const object: unknown = JSON.parse(body);
  return isJson(object) ? object : {};
}
