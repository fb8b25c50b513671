import { createCertificateAuthority } from '@canal/certificate';
import { createEmbeddedServer } from '@canal/store-embedded';
import { createKubeStore, fixedCredentials, Secret } from '@canal/store-kube';

import { createFaultyProxy } from './faulty-proxy.ts';
import { describeStoreContract } from './store-contract.ts';
import { TEST_CLOCK } from './test-clock.ts';

describeStoreContract({
  name: 'store-kube and the embedded server, through a faulty network',
  start: async () => {
    const authority = createCertificateAuthority();
    const { certPem: cert, keyPem: key } = authority.issueServer({ hosts: ['127.0.0.1'] });
    const server = createEmbeddedServer({ tokens: [{ token: 'contract', user: 'contract' }] });
    const listener = server.listen({ hostname: '127.0.0.1', tls: { cert, key } });
    const proxy = await createFaultyProxy(listener.port ?? 0);
    const store = createKubeStore(
      {
        connection: {
          baseUrl: `https://127.0.0.1:${String(proxy.port)}`,
          tls: { ca: authority.certPem },
          credentials: fixedCredentials({ token: new Secret('contract') }),
        },
        clock: TEST_CLOCK,
      },
      { requestTimeoutMs: 2_000, reflector: { idleTimeoutMs: 1_500 } },
    );
    return {
      store,
      cut: () => {
        proxy.cut();
      },
      silence: (on) => {
        proxy.silence(on);
      },
      compact: () => {
        server.compact();
        return Promise.resolve();
      },
      stop: async () => {
        await proxy.close();
        await server.close();
      },
    };
  },
});
