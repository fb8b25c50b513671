/** The contract over TLS, against the real server. */
import { createCertificateAuthority } from '@canal/certificate';
import { createNodeApi } from './node-client.ts';
import { NODE_API_PORTS, tlsTransport } from './tls-transport.ts';
import type { AgentName } from './node-api.ts';
import { describeNodeApi } from './testing/node-api-contract.ts';
import { handlerOf } from './testing/script-handler.ts';
import { startTlsNode, type TlsNode } from './testing/tls-node.ts';

describeNodeApi('over TLS', () => {
  const authorities = new Map<string, ReturnType<typeof createCertificateAuthority>>();
  const agents = new Map<string, Pick<TlsNode, 'port' | 'stop'>>();
  const authorityOf = (node: string) => {
    const found = authorities.get(node) ?? createCertificateAuthority({ commonName: node });
    authorities.set(node, found);
    return found;
  };
  const api = (node: string, agent: AgentName) =>
    createNodeApi(
      tlsTransport({
        addressOf: (name) => {
          const authority = authorities.get(name);
          return authority && { address: '127.0.0.1', authority: authority.certPem };
        },
        token: () => Promise.resolve('good'),
        ports: { ...NODE_API_PORTS, [agent]: agents.get(`${agent} ${node}`)?.port ?? 1 },
      }),
    );
  return Promise.resolve({
    api: {
      ask: (node, agent, request, signal) => api(node, agent).ask(node, agent, request, signal),
      follow: (node, agent, request, signal) => api(node, agent).follow(node, agent, request, signal),
    },
    serve: async (node, agent, script) => {
      const name = node;
      agents.set(
        `${agent} ${node}`,
        await startTlsNode({ name, handle: handlerOf(script), authority: authorityOf(name) }),
      );
    },
    close: async (node, agent) => {
      await agents.get(`${agent} ${node}`)?.stop();
    },
    garble: (node, agent) => {
      const { certPem: cert, keyPem: key } = authorityOf(node).issueServer({ hosts: [node] });
      const server = Bun.serve({
        hostname: '127.0.0.1',
        port: 0,
        tls: { cert, key },
        fetch: () => new Response('<html>\n'),
      });
      agents.set(`${agent} ${node}`, { port: server.port ?? 0, stop: () => server.stop(true) });
      return Promise.resolve();
    },
    [Symbol.asyncDispose]: async () => {
      for (const agent of agents.values()) await agent.stop();
    },
  });
});
