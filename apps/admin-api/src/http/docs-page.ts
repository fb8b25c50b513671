/** /docs: the operations as a page without scripts and without anything from elsewhere. */
import { createHash } from 'node:crypto';
import { problemsOf, PROBLEMS, type RouteContract } from '@canal/admin-schema';

export interface DocsPage {
  readonly html: string;
  /** For the header Content-Security-Policy. */
  readonly policy: string;
}

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2530;background:#fff}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem;border-bottom:1px solid #cfd6df}h3{font-size:1rem;margin-bottom:.2rem}
code{font-family:ui-monospace,monospace}table{border-collapse:collapse}td,th{text-align:left;padding:.1rem .8rem .1rem 0;vertical-align:top}
.role{color:#5b6673}@media(prefers-color-scheme:dark){body{color:#dde3ea;background:#14181d}.role{color:#97a3b0}h2{border-color:#3a434d}}`;

export function docsPage(routes: readonly RouteContract[], version: string): DocsPage {
  const sections = [...Map.groupBy(routes, ({ tag }) => tag)].map(
    ([tag, same]) => `<h2>${escapeHtml(tag)}</h2>${same.map(operationHtml).join('')}`,
  );
  const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>canal admin API</title><style>${STYLE}</style></head>
<body><h1>canal admin API</h1><p>Version ${escapeHtml(version)}. For programs: <a href="/openapi.json"><code>/openapi.json</code></a>.
A token goes into the header <code>Authorization: Bearer TOKEN</code>, and nowhere else.</p>
${sections.join('\n')}
</body></html>
`;
  const styleHash = createHash('sha256').update(STYLE).digest('base64');
  const policy = `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
  return { html, policy };
}

function operationHtml(route: RouteContract): string {
  const { id, method, path, summary, role, answer, params, query, ifMatch = false, dryRun = false } = route;
  const fields = (schema: RouteContract['query']): string[] => Object.keys(schema?.shape ?? {});
  const rows: readonly (readonly [string, readonly string[]])[] = [
    ['path', fields(params)],
    ['query', [...fields(query), ...(dryRun ? ['dryRun'] : [])]],
    ['headers', [...(ifMatch ? ['If-Match'] : []), ...(method === 'POST' ? ['Idempotency-Key'] : [])]],
    ['answers', [`${answer.status} ${answer.description}`]],
    ['problems', problemsOf(route).map((name) => `${PROBLEMS[name].status} ${name}`)],
  ];
  const cells = rows
    .filter(([, values]) => values.length > 0)
    .map(([name, values]) => `<tr><th>${name}</th><td>${values.map(escapeHtml).join(', ')}</td></tr>`);
  const needs = role === undefined ? 'for everybody' : `role canal-${role}`;
  return `<h3 id="${escapeHtml(id)}"><code>${method} ${escapeHtml(path)}</code> <span class="role">${needs}</span></h3>
<p>${escapeHtml(summary)}</p><table>${cells.join('')}</table>`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
