import { beforeAll, describe, expect, test } from 'vitest';

import { itemsOf, metadataOf, namesOf, versionOf } from './api-client.ts';
import type { ContractContext } from './context.ts';

/** Lists: selectors, pages, versions. https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions */
export function describeLists(context: ContractContext): void {
  describeSelectors(context);
  describePages(context);
  describeVersions(context);
}

function describeSelectors(context: ContractContext): void {
  let path = '';
  beforeAll(async () => {
    const namespace = await context.api().namespace();
    path = `/api/v1/namespaces/${namespace}/configmaps`;
    const labels = { red: { color: 'red', size: 'l' }, blue: { color: 'blue' }, plain: {} };
    for (const [name, own] of Object.entries(labels)) {
      await context.api().create(path, { metadata: { name, labels: { suite: 'yes', ...own } } });
    }
  });

  test('a list has kind, resourceVersion and its items by name', async () => {
    const { status, body } = await context.api().get(`${path}?labelSelector=suite`);
    expect(status).toBe(200);
    expect(body).toMatchObject({ kind: 'ConfigMapList', apiVersion: 'v1' });
    expect(versionOf(body)).toMatch(/^[1-9]\d*$/);
    expect(namesOf(body)).toEqual(['blue', 'plain', 'red']);
  });

  test.each([
    { selector: 'suite,color=red', names: ['red'] },
    { selector: 'suite,color==red', names: ['red'] },
    { selector: 'suite,color!=red', names: ['blue', 'plain'] },
    { selector: 'suite,color in (red,blue)', names: ['blue', 'red'] },
    { selector: 'suite,color notin (red)', names: ['blue', 'plain'] },
    { selector: 'suite,size', names: ['red'] },
    { selector: 'suite,!color', names: ['plain'] },
    { selector: 'suite,color in (red,blue),!size', names: ['blue'] },
    { selector: 'suite,color=none', names: [] },
  ])('label selector $selector', async ({ selector, names }) => {
    const { body } = await context.api().get(`${path}?labelSelector=${encodeURIComponent(selector)}`);
    expect(namesOf(body)).toEqual(names);
  });

  test.each([
    { selector: 'metadata.name=red', names: ['red'] },
    { selector: 'metadata.name!=red', names: expect.arrayContaining(['blue', 'plain']) as unknown },
  ])('field selector $selector', async ({ selector, names }) => {
    const { body } = await context.api().get(`${path}?fieldSelector=${encodeURIComponent(selector)}`);
    expect(namesOf(body)).toEqual(names);
  });

  test.each([
    'labelSelector=a%20in%20(b',
    'labelSelector=%3Da',
    'labelSelector=a%3Db%3Dc',
    'fieldSelector=data.k%3Dv',
    'fieldSelector=metadata.name',
  ])('%s is refused with 400', async (query) => {
    const { status, body } = await context.api().get(`${path}?${query}`);
    expect([status, body['kind']]).toEqual([400, 'Status']);
  });

  test('pods can be selected by node and phase, over all namespaces', async () => {
    const namespace = await context.api().namespace();
    await context.api().post(`/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: 'default' } });
    const nodeName = `contract-node-of-${namespace}`;
    await context.api().create(`/api/v1/namespaces/${namespace}/pods`, {
      metadata: { name: 'p' },
      spec: { nodeName, automountServiceAccountToken: false, containers: [{ name: 'c', image: 'i' }] },
    });
    const select = async (fields: string): Promise<readonly string[]> => {
      const { body } = await context.api().get(`/api/v1/pods?fieldSelector=${encodeURIComponent(fields)}`);
      return namesOf(body);
    };
    expect(await select(`spec.nodeName=${nodeName}`)).toEqual(['p']);
    expect(await select(`spec.nodeName=${nodeName},status.phase=Pending`)).toEqual(['p']);
    expect(await select(`spec.nodeName=${nodeName},status.phase!=Pending`)).toEqual([]);
    await context.api().delete(`/api/v1/namespaces/${namespace}/pods/p`, { gracePeriodSeconds: 0 });
  });
}

const COUNT = 5;
const ALL = Array.from({ length: COUNT }, (_, index) => `m${String(index)}`);

function describePages(context: ContractContext): void {
  async function filled(): Promise<string> {
    const path = `/api/v1/namespaces/${await context.api().namespace()}/configmaps`;
    for (const name of ALL) await context.api().create(path, { metadata: { name, labels: { page: 'yes' } } });
    return path;
  }
  const continueOf = (body: object): string => {
    const token = metadataOf(body)['continue'];
    return typeof token === 'string' ? token : '';
  };
  const next = (path: string, token: string): string =>
    `${path}?labelSelector=page&limit=2&continue=${encodeURIComponent(token)}`;

  describe('pages', () => {
    test('limit and continue give every object once', async () => {
      const path = await filled();
      const names: string[] = [];
      let token = '';
      do {
        const { status, body } = await context.api().get(next(path, token));
        expect(status).toBe(200);
        expect(itemsOf(body).length).toBeLessThanOrEqual(2);
        names.push(...namesOf(body));
        token = continueOf(body);
      } while (token !== '');
      expect(names).toEqual(ALL);
    });

    test('all pages show the state of the first', async () => {
      const path = await filled();
      const first = await context.api().get(next(path, ''));
      await context.api().delete(`${path}/m4`);
      await context.api().create(path, { metadata: { name: 'm9', labels: { page: 'yes' } } });
      await context.api().patch(`${path}/m3`, { metadata: { labels: { page: null } } });
      const second = await context.api().get(next(path, continueOf(first.body)));
      const third = await context.api().get(next(path, continueOf(second.body)));
      expect([...namesOf(first.body), ...namesOf(second.body), ...namesOf(third.body)]).toEqual(ALL);
      expect([versionOf(second.body), versionOf(third.body)]).toEqual([versionOf(first.body), versionOf(first.body)]);
      expect(continueOf(third.body)).toBe('');
    });

    test('the first page tells how many remain', async () => {
      const path = await filled();
      const { body } = await context.api().get(`${path}?limit=2`);
      // There may be objects of the server's own beside ours.
      expect(Number(metadataOf(body)['remainingItemCount'])).toBeGreaterThanOrEqual(COUNT - 2);
    });

    test('a token that none gave out is 400', async () => {
      const path = await filled();
      const { status, body } = await context.api().get(`${path}?limit=2&continue=no-token`);
      expect([status, body['kind']]).toEqual([400, 'Status']);
    });

    test('a token whose state is forgotten is 410 Expired', async ({ skip }) => {
      const { compact } = context.subject();
      if (compact === undefined) return skip('the subject cannot be compacted');
      const path = await filled();
      const first = await context.api().get(next(path, ''));
      await context.api().delete(`${path}/m4`);
      await compact();
      const second = await context.api().get(next(path, continueOf(first.body)));
      expect(second.status).toBe(410);
      expect(second.body).toMatchObject({ kind: 'Status', reason: 'Expired', code: 410 });
    });
  });
}

function describeVersions(context: ContractContext): void {
  describe('versions of a list', () => {
    async function changed(): Promise<{ path: string; before: string }> {
      const path = `/api/v1/namespaces/${await context.api().namespace()}/configmaps`;
      await context.api().create(path, { metadata: { name: 'a', labels: { v: 'yes' } } });
      const { body } = await context.api().get(`${path}?labelSelector=v`);
      await context.api().create(path, { metadata: { name: 'b', labels: { v: 'yes' } } });
      return { path: `${path}?labelSelector=v`, before: versionOf(body) };
    }

    test('without a version, a list shows all that was written', async () => {
      const { path } = await changed();
      expect(namesOf((await context.api().get(path)).body)).toEqual(['a', 'b']);
    });

    test('Exact shows the state at that version', async () => {
      const { path, before } = await changed();
      const { body } = await context.api().get(`${path}&resourceVersion=${before}&resourceVersionMatch=Exact`);
      expect(namesOf(body)).toEqual(['a']);
      expect(versionOf(body)).toBe(before);
    });

    test('NotOlderThan shows that version or a later one', async () => {
      const { path, before } = await changed();
      const { status, body } = await context
        .api()
        .get(`${path}&resourceVersion=${before}&resourceVersionMatch=NotOlderThan`);
      expect(status).toBe(200);
      expect(BigInt(versionOf(body))).toBeGreaterThanOrEqual(BigInt(before));
      expect(namesOf(body)).toContain('a');
    });

    test('0 is any version', async () => {
      const { path } = await changed();
      expect((await context.api().get(`${path}&resourceVersion=0`)).status).toBe(200);
    });

    test('a version that was never given out is 504 with the cause ResourceVersionTooLarge', async () => {
      const { path } = await changed();
      const { status, body } = await context
        .api()
        .get(`${path}&resourceVersion=999999999999&resourceVersionMatch=NotOlderThan`);
      expect(status).toBe(504);
      expect(body).toMatchObject({
        reason: 'Timeout',
        details: { causes: [expect.objectContaining({ reason: 'ResourceVersionTooLarge' })] },
      });
    });

    test.each([
      { query: 'resourceVersionMatch=Exact', why: 'a match rule without a version' },
      { query: 'resourceVersion=0&resourceVersionMatch=Exact', why: 'exactly any version' },
      { query: 'resourceVersion=1&resourceVersionMatch=Nearest', why: 'an unknown match rule' },
    ])('$why is refused', async ({ query }) => {
      const { path } = await changed();
      const { status, body } = await context.api().get(`${path}&${query}`);
      expect([400, 422]).toContain(status);
      expect(body['kind']).toBe('Status');
    });

    test('a version that is forgotten is 410 Expired', async ({ skip }) => {
      const { compact } = context.subject();
      if (compact === undefined) return skip('the subject cannot be compacted');
      const { path, before } = await changed();
      await compact();
      const { status, body } = await context.api().get(`${path}&resourceVersion=${before}&resourceVersionMatch=Exact`);
      expect([status, body['reason']]).toEqual([410, 'Expired']);
    });
  });
}
