/** subnet.env on disk: written when the node's own state is in the kernel, taken away when it would mislead. */
import { existsSync, unlinkSync } from 'node:fs';
import { formatSubnetEnv, NodeStateError, readSubnetEnv, type SubnetEnv, writeSubnetEnv } from '@canal/node-state';
import type { LeasedSubnet } from './lease.ts';
import { contradicts } from './subnet-env-content.ts';

export class SubnetFile {
  readonly path: string;
  #written: string | undefined;

  constructor(path: string) {
    this.path = path;
  }

  /** Writes the file unless it already says this; `repaired`: it had said so before. Throws NodeStateError. */
  ensure(env: SubnetEnv): 'same' | 'written' | 'repaired' {
    const text = formatSubnetEnv(env);
    const present = this.#read();
    const same = present !== undefined && formatSubnetEnv(present) === text;
    const outcome = same ? 'same' : this.#written === text ? 'repaired' : 'written';
    if (!same) writeSubnetEnv(this.path, env);
    this.#written = text;
    return outcome;
  }

  /**
   * Removes a file whose subnets are not this node's: until the right one is written, the plugin refuses to add pods,
   * where it would have given them addresses of another node. Gives true when it removed one.
   */
  removeIfMisleading(leases: readonly LeasedSubnet[]): boolean {
    const present = this.#read();
    if (present === undefined || !contradicts(present, leases)) return false;
    return this.remove();
  }

  /** True when there was one. */
  remove(): boolean {
    try {
      unlinkSync(this.path);
      return true;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
      throw error;
    }
  }

  exists(): boolean {
    return existsSync(this.path);
  }

  /** Undefined also for a file that does not parse: the plugin refuses it too, and it is written anew. */
  #read(): SubnetEnv | undefined {
    try {
      return readSubnetEnv(this.path);
    } catch (error) {
      if (error instanceof NodeStateError && error.code !== 'io') return undefined;
      throw error;
    }
  }
}
