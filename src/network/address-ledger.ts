/**
 * The addresses of one subnet: who has which. Free ones are handed out in order, going on after the last one given, so that
 * an address that was just freed is not somebody else's at once.
 */
import { type Cidr, contains, lastAddress, parseAddress, formatAddress } from './cidr.ts';

export class AddressLedger {
  readonly subnet: Cidr;
  readonly #range: Cidr;
  readonly #taken = new Set<bigint>();
  #next: bigint;

  /** `range` limits what allocate() gives, not what reserve() accepts. */
  constructor(subnet: Cidr, range: Cidr = subnet) {
    this.subnet = subnet;
    this.#range = range;
    this.#next = this.#first();
  }

  /** Takes exactly this address. @returns false when it is taken or not one of the subnet's */
  reserve(text: string): boolean {
    const address = parseAddress(text);
    if (address === undefined || !this.#usable(address.value) || !contains(this.subnet, address)) return false;
    if (this.#taken.has(address.value)) return false;
    this.#taken.add(address.value);
    return true;
  }

  /** Takes the next free address. @returns undefined when none is left */
  allocate(): string | undefined {
    const first = this.#first();
    const last = this.#last();
    if (first > last) return undefined;
    // One more free address than taken ones within this many steps, or there is none.
    const steps = BigInt(this.#taken.size) + 1n;
    let value = this.#next;
    for (let step = 0n; step <= steps; step++) {
      if (value > last || value < first) value = first;
      if (!this.#taken.has(value)) {
        this.#taken.add(value);
        this.#next = value + 1n;
        return formatAddress({ family: this.subnet.family, value });
      }
      value++;
    }
    return undefined;
  }

  release(text: string): void {
    const address = parseAddress(text);
    if (address !== undefined) this.#taken.delete(address.value);
  }

  has(text: string): boolean {
    const address = parseAddress(text);
    return address !== undefined && this.#taken.has(address.value);
  }

  get size(): number {
    return this.#taken.size;
  }

  #first(): bigint {
    return this.#usable(this.#range.base) ? this.#range.base : this.#range.base + 1n;
  }

  #last(): bigint {
    const last = lastAddress(this.#range);
    return this.#usable(last) ? last : last - 1n;
  }

  /** Not the network's own address, nor IPv4's broadcast; subnets of one or two addresses have neither. */
  #usable(value: bigint): boolean {
    const bits = (this.subnet.family === 4 ? 32 : 128) - this.subnet.prefix;
    if (bits <= 1) return true;
    if (value === this.subnet.base) return false;
    return this.subnet.family === 6 || value !== lastAddress(this.subnet);
  }
}
