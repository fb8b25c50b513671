/**
 * `bun apps/canalctl/man-page.ts [--write]`: the manual page canalctl(1) from the definitions of the commands, to standard
 * output or into docs/man. A test holds the committed file to it.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { renderManPage } from './src/man/render-man-page.ts';

export const MAN_PAGE = resolve(import.meta.dirname, '../../docs/man/canalctl.1');

if (import.meta.main) {
  const { values } = parseArgs({ options: { write: { type: 'boolean', default: false } } });
  const page = renderManPage();
  if (values.write) {
    mkdirSync(dirname(MAN_PAGE), { recursive: true });
    writeFileSync(MAN_PAGE, page);
  } else {
    process.stdout.write(page);
  }
}
