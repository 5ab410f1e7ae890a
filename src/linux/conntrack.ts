/** Connection tracking entries: a UDP client that goes on sending keeps an old translation alive until somebody forgets it. */
import { addressText } from './address-bytes.ts';
import { SystemError } from './libc.ts';
import { type Attributes, attribute, readAttributes } from './netlink-attribute.ts';
import { type Netlink, netlinkFlags } from './netlink.ts';

const CT_NEW = 1 << 8;
const CT_GET = (1 << 8) | 1;
const CT_DELETE = (1 << 8) | 2;
const NESTED = 0x8000;

export interface Flow {
  /** IP protocol number: 17 for UDP. */
  protocol: number;
  /** What the first packet was sent to. */
  destination: string;
  destinationPort: number;
  /** Who answers, behind translations. */
  answerer: string;
}

/** Forgets the flows of a family that `matches` picks (`netfilter` is `openNetlink(12)`); returns how many. @throws SystemError */
export function forgetFlows(netfilter: Netlink, family: 4 | 6, matches: (flow: Flow) => boolean): number {
  const header = Buffer.from([family === 4 ? 2 : 10, 0, 0, 0]);
  let count = 0;
  for (const { type, body } of netfilter.request('list flows', CT_GET, netlinkFlags.dump, header)) {
    if (type !== CT_NEW) continue;
    const attributes = readAttributes(body.subarray(4));
    const original = attributes.get(1);
    const reply = attributes.get(2);
    if (original === undefined || reply === undefined || !matches(readFlow(original, reply))) continue;
    try {
      netfilter.request('forget flow', CT_DELETE, 0, Buffer.concat([header, attribute(1 | NESTED, original)]));
      count++;
    } catch (error) {
      // It ended by itself meanwhile.
      if (!(error instanceof SystemError) || error.code !== 'ENOENT') throw error;
    }
  }
  return count;
}

function readFlow(original: Buffer, reply: Buffer): Flow {
  const tuple = readAttributes(original);
  const protocol = readAttributes(tuple.get(2) ?? Buffer.alloc(0));
  return {
    protocol: protocol.get(1)?.readUInt8(0) ?? 0,
    destination: addressIn(tuple, 2),
    destinationPort: protocol.get(3)?.readUInt16BE(0) ?? 0,
    answerer: addressIn(readAttributes(reply), 1),
  };
}

/** Source (1) or destination (2) of a tuple. */
function addressIn(tuple: Attributes, which: 1 | 2): string {
  const addresses = readAttributes(tuple.get(1) ?? Buffer.alloc(0));
  const bytes = addresses.get(which) ?? addresses.get(which + 2);
  return bytes === undefined ? '' : addressText(bytes);
}
