/** IP addresses between text and network-order bytes. */
import { Address4, Address6 } from 'ip-address';

/** Four or sixteen bytes. The text must be an address (the border has checked it). */
export function addressBytes(text: string): Buffer {
  if (!text.includes(':')) return Buffer.from(new Address4(text).toArray());
  const value = new Address6(text).bigInt();
  return Buffer.from(value.toString(16).padStart(32, '0'), 'hex');
}

/** The canonical text: dotted, or RFC 5952. */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  return Address6.fromBigInt(BigInt(`0x${Buffer.from(bytes).toString('hex')}`)).correctForm();
}
