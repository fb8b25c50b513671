import type { Backend } from './backend.ts';
import { hostGwBackend } from './backend-host-gw.ts';
import { vxlanBackend } from './backend-vxlan.ts';

/** All backends. Adding one is writing its file, adding its row here, and its settings to NetConf. */
export const BACKENDS: readonly Backend[] = [vxlanBackend, hostGwBackend];
