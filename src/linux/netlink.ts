/**
 * A netlink socket with synchronous requests. The socket belongs for ever to the network namespace in which it was made, so
 * one opened inside a namespace configures that namespace from outside. An open socket keeps its namespace alive.
 */
import { attributeText, readAttributes } from './netlink-attribute.ts';
import { check, libc, SystemError } from './libc.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const SO_RCVTIMEO = 20;
const HEADER = 16;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;

export const netlinkFlags = {
  request: 1,
  multi: 2,
  ack: 4,
  root: 0x100,
  dump: 0x300,
  replace: 0x100,
  excl: 0x200,
  create: 0x400,
} as const;

export interface NetlinkMessage {
  type: number;
  /** What follows the netlink header. */
  body: Buffer;
}

export interface Netlink {
  /**
   * Sends one request and returns the messages that answered it, without the final acknowledgement.
   * @throws SystemError whose message names `what` and gives the kernel's own explanation where there is one
   */
  request(what: string, type: number, flags: number, body: Uint8Array): NetlinkMessage[];
  close(): void;
}

/** Opens a socket of that protocol (0 route, 12 netfilter) in the current network namespace. */
export function openNetlink(protocol: number): Netlink {
  const fd = check(
    'socket',
    libc('int socket(int domain, int type, int protocol)')(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol),
    'netlink',
  );
  const setOption = libc('int setsockopt(int fd, int level, int name, const void *value, unsigned int length)');
  const on = Buffer.from([1, 0, 0, 0]);
  setOption(fd, SOL_NETLINK, NETLINK_CAP_ACK, on, 4);
  setOption(fd, SOL_NETLINK, NETLINK_EXT_ACK, on, 4);
  // Answers are there when send returns; the time limit only keeps a kernel's surprise from hanging the daemon.
  const limit = Buffer.alloc(16);
  limit.writeBigInt64LE(5n, 0);
  setOption(fd, 1, SO_RCVTIMEO, limit, 16);
  const send = libc('long send(int fd, const void *data, size_t length, int flags)');
  const receive = libc('long recv(int fd, void *data, size_t length, int flags)');
  const close = libc('int close(int fd)');
  const buffer = Buffer.alloc(64 << 10);
  let sequence = 0;
  let open = true;
  return {
    request(what, type, flags, body) {
      const dump = (flags & netlinkFlags.dump) === netlinkFlags.dump;
      sequence = (sequence + 1) >>> 0;
      const message = Buffer.alloc(HEADER + body.length);
      message.writeUInt32LE(message.length, 0);
      message.writeUInt16LE(type, 4);
      message.writeUInt16LE(flags | netlinkFlags.request | (dump ? 0 : netlinkFlags.ack), 6);
      message.writeUInt32LE(sequence, 8);
      message.set(body, HEADER);
      check(what, send(fd, message, message.length, 0), 'netlink send');
      const answers: NetlinkMessage[] = [];
      for (;;) {
        const length = check(what, receive(fd, buffer, buffer.length, 0), 'netlink receive');
        if (readDatagram(what, buffer.subarray(0, length), sequence, answers)) return answers;
      }
    },
    close() {
      if (open) close(fd);
      open = false;
    },
  };
}

/** Collects the answers to `sequence`; true when the last one was seen. */
function readDatagram(what: string, data: Buffer, sequence: number, answers: NetlinkMessage[]): boolean {
  for (let at = 0; at + HEADER <= data.length; ) {
    const length = data.readUInt32LE(at);
    if (length < HEADER || at + length > data.length) break;
    const type = data.readUInt16LE(at + 4);
    const flags = data.readUInt16LE(at + 6);
    const body = data.subarray(at + HEADER, at + length);
    if (data.readUInt32LE(at + 8) === sequence) {
      if (type === NLMSG_ERROR || type === NLMSG_DONE) {
        const code = body.length >= 4 ? body.readInt32LE(0) : 0;
        if (code < 0) throw new SystemError(what, -code, explanation(body, type, flags));
        return true;
      }
      answers.push({ type, body: Buffer.from(body) });
    }
    at += (length + 3) & ~3;
  }
  return false;
}

/** The text of an extended acknowledgement. */
function explanation(body: Buffer, type: number, flags: number): string {
  if ((flags & NLM_F_ACK_TLVS) === 0) return '';
  if (type === NLMSG_DONE) return attributeText(readAttributes(body.subarray(4)).get(1));
  const echoed = (flags & NLM_F_CAPPED) !== 0 ? HEADER : body.readUInt32LE(4);
  return attributeText(readAttributes(body.subarray(4 + echoed)).get(1));
}
