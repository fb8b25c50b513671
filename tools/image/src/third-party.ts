/** The npm packages that went into the binary, with their licences, which ask to be handed on. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ImageError } from './image-error.ts';

/** What is used of the bundler's metafile: sources, relative to the workspace, that each output was made of. */
export interface BundleRecord {
  readonly outputs: Readonly<Record<string, { readonly inputs: Readonly<Record<string, unknown>> }>>;
}

const LICENCE_FILE = /^(licen[cs]e|copying|notice)(\..*)?$/i;

/** A section for each package, by name and version; packages that are installed twice are named once. */
export function thirdPartyNotices(bundle: BundleRecord, root: string): string {
  const sources = Object.values(bundle.outputs).flatMap(({ inputs }) => Object.keys(inputs));
  const sections = new Map(bundledPackages(sources).map((folder) => noticeOf(join(root, folder))));
  return [...sections]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([title, text]) => `${title}\n\n${text}\n`)
    .join('\n\n');
}

/** Folders of packages from the registry, e.g. "node_modules/zod", also those inside of a project. */
export function bundledPackages(sources: readonly string[]): readonly string[] {
  const folders = sources.map((path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0]);
  return [...new Set(folders)].filter((folder) => folder !== undefined).sort();
}

function noticeOf(folder: string): readonly [title: string, text: string] {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    readonly name: string;
    readonly version: string;
    readonly license?: string;
  };
  if (license === undefined) throw new ImageError(`the package ${name} ${version} in the binary has no licence`);
  const files = readdirSync(folder)
    .filter((file) => LICENCE_FILE.test(file))
    .sort();
  const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n').trim());
  return [`${name} ${version}: ${license}`, texts.join('\n\n')];
}
