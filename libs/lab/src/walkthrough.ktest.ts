/** The walk-through in docs/: the packet's way through backends and modes, as the shipped tools print it. */
import { describe, expect, test } from 'vitest';
import { walkDocument } from './testing/document-walk.ts';

describe('docs/walkthrough.md', () => {
  const { commands } = walkDocument(new URL('../../../docs/walkthrough.md', import.meta.url));

  test('has the commands of all backends and modes', () => {
    for (const wanted of ['--pod-mode bridge', '--direct-routing', '--backend host-gw', '--ip-family ipv6']) {
      expect(commands.some((command) => command.includes(wanted))).toBe(true);
    }
  });
});
