/** Which pod owns an address, when several live pods say that it is theirs. */
import type { Ip } from 'net-types';

export class AddressClaims {
  readonly #owners = new Map<Ip, number>();
  /** The other claimants, of the few addresses that have some. */
  readonly #others = new Map<Ip, number[]>();
  readonly #prevails: (pod: number, over: number) => boolean;

  constructor(prevails: (pod: number, over: number) => boolean) {
    this.#prevails = prevails;
  }

  owner(ip: Ip): number | undefined {
    return this.#owners.get(ip);
  }

  owners(): Iterable<readonly [Ip, number]> {
    return this.#owners;
  }

  claim(ip: Ip, pod: number): void {
    const owner = this.#owners.get(ip);
    if (owner === undefined) {
      this.#owners.set(ip, pod);
      return;
    }
    const prevails = this.#prevails(pod, owner);
    if (prevails) this.#owners.set(ip, pod);
    const others = this.#others.get(ip);
    if (others === undefined) this.#others.set(ip, [prevails ? owner : pod]);
    else others.push(prevails ? owner : pod);
  }

  withdraw(ip: Ip, pod: number): void {
    const others = this.#others.get(ip);
    if (others === undefined) {
      this.#owners.delete(ip);
      return;
    }
    if (this.#owners.get(ip) === pod) {
      const next = others.reduce((best, other) => (this.#prevails(other, best) ? other : best));
      this.#owners.set(ip, next);
      others.splice(others.indexOf(next), 1);
    } else {
      others.splice(others.indexOf(pod), 1);
    }
    if (others.length === 0) this.#others.delete(ip);
  }
}
