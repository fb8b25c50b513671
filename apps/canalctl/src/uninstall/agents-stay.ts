/** Agents that were told to end still run: what they look after cannot be taken away. */
export class AgentsStay extends Error {
  override readonly name = 'AgentsStay';
}
