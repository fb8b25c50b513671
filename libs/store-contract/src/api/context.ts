import type { ApiClient } from './api-client.ts';
import type { ApiSubject } from './subject.ts';

/** What each part of the suite works with; valid inside tests only. */
export interface ContractContext {
  readonly subject: () => ApiSubject;
  readonly api: () => ApiClient;
}
