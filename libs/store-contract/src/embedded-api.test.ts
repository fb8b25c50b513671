import { createCertificateAuthority } from '@canal/certificate';
import { createEmbeddedServer } from '@canal/store-embedded';

import type { ApiRequestInit, ApiSubject } from './api/subject.ts';
import { describeKubeApiContract } from './kube-api-contract.ts';

const TOKEN = 'contract-token';

describeKubeApiContract({
  name: 'embedded server',
  start: () => {
    const authority = createCertificateAuthority();
    const { certPem: cert, keyPem: key } = authority.issueServer({ hosts: ['127.0.0.1'] });
    const server = createEmbeddedServer({ tokens: [{ token: TOKEN, user: 'contract' }] });
    const { url } = server.listen({ hostname: '127.0.0.1', tls: { cert, key } });
    const send = (path: string, init: ApiRequestInit = {}): Promise<Response> =>
      fetch(`${url}${path}`, { ...init, tls: { ca: authority.certPem } });
    const subject: ApiSubject = {
      fetch: (path, init = {}) =>
        send(path, { ...init, headers: { ...init.headers, Authorization: `Bearer ${TOKEN}` } }),
      fetchAnonymous: send,
      compact: () => {
        server.compact();
        return Promise.resolve();
      },
      emptiesNamespaces: true,
      stop: () => server.close(),
    };
    return Promise.resolve(subject);
  },
});
