/** Sockets made in the current network namespace and handed to Node by descriptor: dgram.bind({ fd }), server.listen({ fd }). */
import { isIPv6 } from 'node:net';
import koffi from 'koffi';
import { addressBytes } from './address-bytes.ts';
import { check, libc, SystemError } from './libc.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SO_REUSEADDR = 2;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;

export interface NamespaceSocket {
  fd: number;
  port: number;
}

/** A bound UDP socket, or a TCP socket that listens. Port 0 lets the kernel choose. @throws SystemError EADDRINUSE, … */
export function bindInNamespace(protocol: 'udp' | 'tcp', address: string, port: number): NamespaceSocket {
  const v6 = isIPv6(address);
  const what = `${protocol} ${address}:${port}`;
  const type = (protocol === 'udp' ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = check(
    'socket',
    libc('int socket(int domain, int type, int protocol)')(v6 ? AF_INET6 : AF_INET, type, 0),
    what,
  );
  try {
    const setOption = libc('int setsockopt(int fd, int level, int name, const void *value, unsigned int length)');
    const on = Buffer.from([1, 0, 0, 0]);
    if (protocol === 'tcp') check('setsockopt', setOption(fd, 1, SO_REUSEADDR, on, 4), what);
    if (v6) check('setsockopt', setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, on, 4), what);
    const name = socketAddress(address, port);
    if (libc('int bind(int fd, const void *address, unsigned int length)')(fd, name, name.length) < 0)
      throw new SystemError('bind', koffi.errno(), what);
    if (protocol === 'tcp') check('listen', libc('int listen(int fd, int backlog)')(fd, 128), what);
    const bound = Buffer.alloc(28);
    const length = Buffer.from([28, 0, 0, 0]);
    check('getsockname', libc('int getsockname(int fd, void *address, void *length)')(fd, bound, length), what);
    return { fd, port: bound.readUInt16BE(2) };
  } catch (error) {
    libc('int close(int fd)')(fd);
    throw error;
  }
}

const ON = Buffer.from([1, 0, 0, 0]);
const SOL_IP = 0;
const IP_TRANSPARENT = 19;
const EINPROGRESS = 115;

/**
 * A TCP connection to `to` that comes from `from`, an address of another machine (IPv4; IP_TRANSPARENT, ip(7)): begun, not yet there.
 * Whoever calls sees to it that the answers are delivered here. @returns a descriptor. @throws SystemError EPERM, EADDRINUSE, …
 */
export function connectTransparent(
  from: { address: string; port: number },
  to: { address: string; port: number },
): number {
  const what = `tcp ${from.address}:${from.port} to ${to.address}:${to.port}`;
  const open = libc('int socket(int domain, int type, int protocol)');
  const fd = check('socket', open(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), what);
  try {
    const setOption = libc('int setsockopt(int fd, int level, int name, const void *value, unsigned int length)');
    check('setsockopt', setOption(fd, 1, SO_REUSEADDR, ON, 4), what);
    check('setsockopt', setOption(fd, SOL_IP, IP_TRANSPARENT, ON, 4), what);
    const own = socketAddress(from.address, from.port);
    if (libc('int bind(int fd, const void *address, unsigned int length)')(fd, own, own.length) < 0)
      throw new SystemError('bind', koffi.errno(), what);
    const other = socketAddress(to.address, to.port);
    if (libc('int connect(int fd, const void *address, unsigned int length)')(fd, other, other.length) < 0) {
      const code = koffi.errno();
      if (code !== EINPROGRESS) throw new SystemError('connect', code, what);
    }
    return fd;
  } catch (error) {
    libc('int close(int fd)')(fd);
    throw error;
  }
}

/** struct sockaddr_in or sockaddr_in6. */
function socketAddress(address: string, port: number): Buffer {
  const v6 = isIPv6(address);
  const out = Buffer.alloc(v6 ? 28 : 16);
  out.writeUInt16LE(v6 ? AF_INET6 : AF_INET, 0);
  out.writeUInt16BE(port, 2);
  out.set(addressBytes(address), v6 ? 8 : 4);
  return out;
}
