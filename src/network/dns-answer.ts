/** What the embedded DNS server says by itself, and what it leaves to others. Pure: a question in, a decision out. */
import { type Answer, decode, encode, type Packet, type Question } from 'dns-packet';

/** The names that one container may resolve. */
export interface NameTable {
  /** Addresses of a name, most wanted first; undefined when the name is not ours. */
  addresses(name: string): { v4: string[]; v6: string[] } | undefined;
  /** The name of an address; undefined when the address is not ours. */
  nameOf(address: string): string | undefined;
  /** Whether questions about other names may leave the machine (not from internal networks). */
  forwards(): boolean;
}

export type Decision = { kind: 'answer'; reply: Buffer } | { kind: 'forward'; query: Buffer } | { kind: 'ignore' };

export const rcode = { formatError: 1, serverFailure: 2, notImplemented: 4, refused: 5 } as const;

const TTL_SECONDS = 600;
/** On the wire, with its end. */
const longestName = 255;
const AUTHORITATIVE = 1 << 10;
const TRUNCATED = 1 << 9;
const RECURSION_DESIRED = 1 << 8;
const RECURSION_AVAILABLE = 1 << 7;
const OPCODE = 15 << 11;
const RESPONSE = 1 << 15;

/** `limit` is the most bytes an answer over UDP may have without EDNS; 65535 for TCP. */
export function decide(query: Buffer, table: NameTable, limit: number): Decision {
  if (query.length < 12 || (query.readUInt16BE(2) & RESPONSE) !== 0) return { kind: 'ignore' };
  if ((query.readUInt16BE(2) & OPCODE) !== 0) return { kind: 'answer', reply: errorReply(query, rcode.notImplemented) };
  let packet: Packet;
  try {
    packet = decode(query);
  } catch {
    return { kind: 'answer', reply: errorReply(query, rcode.formatError) };
  }
  const question = packet.questions?.[0];
  if (question === undefined || packet.questions?.length !== 1) {
    return { kind: 'answer', reply: errorReply(query, rcode.formatError) };
  }
  const answers = answersTo(question, table);
  if (answers !== undefined)
    return { kind: 'answer', reply: reply(packet, question, answers, udpLimit(packet, limit)) };
  if (!table.forwards()) return { kind: 'answer', reply: errorReply(query, rcode.refused) };
  return { kind: 'forward', query };
}

/** A reply without answers that repeats the question. */
export function errorReply(query: Buffer, code: number): Buffer {
  const out = Buffer.from(query.subarray(0, questionEnd(query)));
  const flags = query.readUInt16BE(2);
  out.writeUInt16BE(RESPONSE | (flags & (OPCODE | RECURSION_DESIRED)) | RECURSION_AVAILABLE | code, 2);
  out.writeUInt16BE(out.length > 12 ? 1 : 0, 4);
  out.fill(0, 6, 12);
  return out;
}

/** Where the first question ends; 12 when there is none that can be read. */
export function questionEnd(query: Buffer): number {
  if (query.length < 12 || query.readUInt16BE(4) === 0) return 12;
  let at = 12;
  while (at < query.length) {
    const length = query[at]!;
    if (length === 0) return at + 5 <= query.length ? at + 5 : 12;
    at += length + 1;
    // No resolver would read a longer name in the answer either.
    if (length > 63 || at - 12 >= longestName) return 12;
  }
  return 12;
}

/** undefined: not ours. An empty list: the name exists, without records of that type. */
function answersTo(question: Question, table: NameTable): Answer[] | undefined {
  const name = question.name.toLowerCase().replace(/\.$/, '');
  if (question.type === 'PTR') {
    const address = reverseAddress(name);
    const owner = address === undefined ? undefined : table.nameOf(address);
    return owner === undefined ? undefined : [{ type: 'PTR', name: question.name, ttl: TTL_SECONDS, data: owner }];
  }
  const found = table.addresses(name);
  if (found === undefined) return undefined;
  if (question.type === 'A')
    return found.v4.map((data) => ({ type: 'A', name: question.name, ttl: TTL_SECONDS, data }));
  if (question.type === 'AAAA') {
    return found.v6.map((data) => ({ type: 'AAAA', name: question.name, ttl: TTL_SECONDS, data }));
  }
  return [];
}

function reply(packet: Packet, question: Question, answers: Answer[], limit: number): Buffer {
  const shape = (list: Answer[], extra: number): Buffer =>
    encode({
      type: 'response',
      id: packet.id ?? 0,
      flags: ((packet.flags ?? 0) & RECURSION_DESIRED) | RECURSION_AVAILABLE | AUTHORITATIVE | extra,
      questions: [question],
      answers: list,
    });
  const whole = shape(answers, 0);
  return whole.length <= limit ? whole : shape([], TRUNCATED);
}

function udpLimit(packet: Packet, limit: number): number {
  const edns = packet.additionals?.find((record) => record.type === 'OPT');
  const offered = edns?.type === 'OPT' ? (edns.udpPayloadSize ?? 0) : 0;
  return Math.max(limit, Math.min(offered, 4096));
}

/** "2.0.30.172.in-addr.arpa" to "172.30.0.2"; the same for ip6.arpa, in canonical hexadecimal groups. */
export function reverseAddress(name: string): string | undefined {
  const v4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/.exec(name);
  if (v4 !== null) return [v4[4], v4[3], v4[2], v4[1]].join('.');
  const v6 = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name);
  if (v6 === null) return undefined;
  const digits = v6[1]!.replaceAll('.', '').split('').reverse().join('');
  return digits.match(/.{4}/g)!.join(':');
}
