import { FakeNodes } from './fake-nodes.ts';
import { describeNodeApi } from './node-api-contract.ts';

describeNodeApi('nodes in memory', () => {
  const nodes = new FakeNodes();
  return Promise.resolve({
    api: nodes,
    serve: (node, agent, script) => Promise.resolve().then(() => nodes.serve(node, agent, script)),
    close: (node, agent) => Promise.resolve().then(() => nodes.close(node, agent)),
    garble: (node, agent) => Promise.resolve().then(() => nodes.garble(node, agent)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
});
