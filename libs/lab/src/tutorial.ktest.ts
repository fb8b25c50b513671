/** The tutorial in docs/, step by step: each probe before and after its policy has the verdict that stands there. */
import { describe, expect, test } from 'vitest';
import { walkDocument } from './testing/document-walk.ts';

describe('docs/tutorial-network-policy.md', () => {
  const { commands } = walkDocument(new URL('../../../docs/tutorial-network-policy.md', import.meta.url));

  test('probes before and after, with both verdicts', () => {
    expect(commands.filter((command) => command.startsWith('canalctl lab probe ')).length).toBeGreaterThan(30);
    expect(commands.filter((command) => command.startsWith('canalctl lab apply ')).length).toBeGreaterThan(9);
  });
});
