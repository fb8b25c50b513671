import { childOf, isJson, type Json, textOf } from './json.ts';

/** One column of what `kubectl get` shows; name and age are there without being listed. */
export interface TableColumn {
  readonly name: string;
  readonly value: (object: Json) => string;
}

/** True when the client asks for a Table (`as=Table;g=meta.k8s.io;v=v1`) before it asks for plain JSON. */
export function wantsTable(accept: string | null): boolean {
  return (accept ?? '').split(',').some((type) => /;\s*as=Table\b/i.test(type) && /;\s*v=v1\s*(?:;|$)/i.test(type));
}

/** The `Table` of some objects; `listMetadata` is that of the list, or empty for a single object. */
export function renderTable(
  columns: readonly TableColumn[],
  objects: readonly Json[],
  listMetadata: object,
  now: Date,
): object {
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: listMetadata,
    columnDefinitions: ['Name', ...columns.map((column) => column.name), 'Age'].map((name) => ({
      name,
      type: 'string',
      format: name === 'Name' ? 'name' : '',
      description: '',
      priority: 0,
    })),
    rows: objects.map((object) => ({
      cells: [
        textOf(childOf(object, 'metadata'), 'name'),
        ...columns.map((column) => column.value(object)),
        age(textOf(childOf(object, 'metadata'), 'creationTimestamp'), now),
      ],
      object: {
        kind: 'PartialObjectMetadata',
        apiVersion: 'meta.k8s.io/v1',
        metadata: isJson(object['metadata']) ? object['metadata'] : {},
      },
    })),
  };
}

/** `12s`, `5m`, `3h`, `9d`. */
function age(since: string, now: Date): string {
  const seconds = Math.max(0, Math.floor((now.getTime() - Date.parse(since)) / 1000));
  if (!Number.isFinite(seconds)) return '<unknown>';
  if (seconds < 120) return `${String(seconds)}s`;
  if (seconds < 7_200) return `${String(Math.floor(seconds / 60))}m`;
  if (seconds < 172_800) return `${String(Math.floor(seconds / 3_600))}h`;
  return `${String(Math.floor(seconds / 86_400))}d`;
}
