import type { Path } from './located-text.ts';

/** What is wrong in a file, or probably not as it was meant. */
export interface Finding {
  readonly severity: 'error' | 'warning';
  readonly file: string;
  readonly line?: number;
  /** `NetworkPolicy shop/db`. */
  readonly object?: string;
  /** RFC 6901, in the document; empty: all of it. */
  readonly pointer: string;
  /** Field, value, what is expected and what follows. */
  readonly message: string;
}

/** A finding before anybody knows where the object stands. */
export interface FieldFinding {
  readonly severity: Finding['severity'];
  readonly path: Path;
  readonly message: string;
}

/** RFC 6901 §3. */
export function pointerOf(path: Path): string {
  return path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** The steps of `spec.ingress[0].from[1].podSelector.matchLabels.a.b/c`: what is behind matchLabels is one name. */
export function pathOfField(field: string): Path {
  const labels = /^(.*?\.matchLabels)\.(.+)$/s.exec(field);
  if (labels !== null) return [...pathOfField(labels[1] ?? ''), labels[2] ?? ''];
  return [...field.matchAll(/([^.[\]]+)|\[(\d+)\]/g)].map(([, name, index]) => name ?? Number(index));
}
