/** Breaking changes of the document, and which of them a raised version announces. */
import { spawnSync } from 'node:child_process';
import { breakingChanges, type JsonObject } from '@canal/admin-schema';

/** Sentences; none when the version was raised as Semantic Versioning wants it for a break. */
export function unannouncedBreaks(before: JsonObject, after: JsonObject): readonly string[] {
  return announcesBreak(versionOf(before), versionOf(after)) ? [] : breakingChanges(before, after);
}

/** The first number that is not 0 is raised; or one before it. */
function announcesBreak(before: readonly number[], after: readonly number[]): boolean {
  const first = before.findIndex((number) => number > 0);
  const places = [...before.keys()].filter((place) => first === -1 || place <= first);
  const raised = places.find((place) => after[place] !== before[place]);
  return raised !== undefined && (after[raised] ?? 0) > (before[raised] ?? 0);
}

/** Throws for what is no `1.2.3`. */
function versionOf(document: JsonObject): readonly number[] {
  const version = (document['info'] as JsonObject | undefined)?.['version'];
  const numbers = typeof version === 'string' ? /^(\d+)\.(\d+)\.(\d+)$/.exec(version) : null;
  if (numbers === null)
    throw new Error(`info.version is ${JSON.stringify(version)}: expected three numbers such as 1.2.3`);
  return numbers.slice(1).map(Number);
}

/**
 * The last committed text of the file that is not the one given: the one before, when the file is committed. Undefined
 * when there is none: a source tree without history, or one that ends there.
 */
export function lastOtherVersion(root: string, path: string, text: string): string | undefined {
  const git = (...words: readonly string[]): string | undefined => {
    const { status, stdout } = spawnSync('git', ['-C', root, ...words], {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    });
    return status === 0 ? stdout : undefined;
  };
  const commits =
    git('log', '--format=%H', '--max-count=10', '--', path)
      ?.split('\n')
      .filter((line) => line !== '') ?? [];
  for (const commit of commits) {
    const committed = git('show', `${commit}:${path}`);
    if (committed !== undefined && committed !== text) return committed;
  }
  return undefined;
}
