import { afterAll, beforeAll, describe } from 'vitest';

import { ApiClient } from './api/api-client.ts';
import type { ContractContext } from './api/context.ts';
import { describeCustomResources } from './api/custom-resource-contract.ts';
import { describeDiscovery } from './api/discovery-contract.ts';
import { describeFields } from './api/field-contract.ts';
import { describeLists } from './api/list-contract.ts';
import { describePatches } from './api/patch-contract.ts';
import type { ApiContractOptions, ApiSubject } from './api/subject.ts';
import { describeWatches } from './api/watch-contract.ts';
import { describeWrites } from './api/write-contract.ts';

/**
 * What any Kubernetes API server must do that agents and tools of this project rely on, over HTTP alone. Expectations come
 * from the API's documentation; nothing here knows which server answers. It makes its own namespaces and nodes, named
 * `contract-…`.
 */
export function describeKubeApiContract(options: ApiContractOptions): void {
  describe(`Kubernetes API contract: ${options.name}`, () => {
    let subject: ApiSubject | undefined;
    beforeAll(async () => {
      subject = await options.start();
    });
    afterAll(async () => {
      await subject?.stop();
    });
    const context: ContractContext = {
      subject: () => started(subject),
      api: () => new ApiClient(started(subject)),
    };

    describe('discovery', () => {
      describeDiscovery(context);
    });
    describe('writes', () => {
      describeWrites(context);
    });
    describe('patches', () => {
      describePatches(context);
    });
    describe('lists', () => {
      describeLists(context);
    });
    describe('watches', () => {
      describeWatches(context);
    });
    describe('fields', () => {
      describeFields(context);
    });
    describe('custom resources', () => {
      describeCustomResources(context);
    });
  });
}

function started(subject: ApiSubject | undefined): ApiSubject {
  if (subject === undefined) throw new Error('the subject has not been started');
  return subject;
}
