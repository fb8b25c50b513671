export {
  ADDRESS_RELEASE_OUTCOME,
  ADDRESS_RELEASE_REQUEST,
  type AddressReleaseOutcome,
  type AddressReleaseRequest,
  parseAddressReleaseOutcome,
  parseAddressReleaseRequest,
} from './address-release.ts';
export {
  type AnnotationKeys,
  annotationKeys,
  DEFAULT_ANNOTATION_PREFIX,
  NODE_API_AUTHORITY,
} from './annotation-keys.ts';
export { type FieldError, formatFieldError } from './field-error.ts';
export { type ParsedNetConf, parseNetConf } from './net-conf.ts';
export { parseNetworkPolicy } from './network-policy.ts';
export { type NodeRecord, parseNode } from './node.ts';
export { type NodeAddressRecord, nodeAddressReader } from './node-addresses.ts';
export {
  type AnnotationPatch,
  CANALS_ANNOTATIONS,
  changedAnnotations,
  renderOwnAnnotations,
  renderWithdrawnAnnotations,
} from './own-annotations.ts';
export { type ParsedPeer, parsePeer } from './peer.ts';
export { parsePolicyNamespace, parsePolicyPod, POLICY_POD_FIELDS } from './policy-pod.ts';
export { appliedObject, LAST_APPLIED, lastApplied, threeWayMerge } from './three-way-merge.ts';
export { formatVtep, parseVtep, type Vtep } from './vtep.ts';
export {
  parseUninstallReport,
  UNINSTALL_REPORT_KIND,
  type UninstalledObject,
  type UninstalledPod,
  type UninstallOutcome,
  type UninstallReport,
} from './uninstall-report.ts';
