export { createDrift, type Repair } from './drift.ts';
export { createLinkLinger, type LinkLinger } from './link-linger.ts';
export {
  type NetworkTurnOptions,
  type NetworkTurnReport,
  type OperationFailure,
  type ReadOnlySysctl,
  turnNetwork,
} from './network-turn.ts';
export {
  createReconciler,
  type FailingItem,
  type ReconcileDeps,
  type ReconcileHealth,
  type ReconcileOptions,
  type Reconciler,
  type Turn,
  type TurnOutcome,
} from './reconciler.ts';
export { planRemoval, type Removal, type RemovalScope, removeNetwork } from './remove-network.ts';
