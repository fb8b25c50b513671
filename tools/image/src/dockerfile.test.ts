/** deploy/Dockerfile says the same of the image as `npm run image`. No engine runs it here: this compares the words. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from './build-image.ts';
import { imageConfig, REPOSITORY } from './image-config.ts';

const dockerfile = readFileSync(join(ROOT, 'deploy/Dockerfile'), 'utf8');
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
const { config } = imageConfig('amd64', 'sha256:00', { version, revision: '${REVISION}', created: 0, parts: {} });

/** What follows an instruction of the last stage, its lines joined. */
function instruction(name: string): string {
  const stage = dockerfile.slice(dockerfile.indexOf('FROM scratch')).replaceAll(/\\\n\s*/g, '');
  const line = new RegExp(`^${name} (.*)$`, 'm').exec(stage)?.[1];
  if (line === undefined) throw new Error(`deploy/Dockerfile has no ${name}`);
  return line;
}

/** `a=b c="d e"` */
function assignments(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/(\S+?)=(?:"([^"]*)"|(\S+))/g)].map((match) => [match[1] ?? '', match[2] ?? match[3] ?? '']),
  );
}

test('labels', () => {
  expect(assignments(instruction('LABEL'))).toEqual(config.Labels);
});

test('environment, user, directory and what starts', () => {
  const environment = Object.entries(assignments(instruction('ENV'))).map(([name, value]) => `${name}=${value}`);
  expect(environment).toEqual(config.Env);
  expect(instruction('USER')).toBe(config.User);
  expect(instruction('WORKDIR')).toBe(config.WorkingDir);
  expect(JSON.parse(instruction('ENTRYPOINT'))).toEqual(config.Entrypoint);
});

test('its example names the image by its version', () => {
  expect(dockerfile).toContain(`-t ${REPOSITORY}:${version} .`);
});
