/** The Engine API over HTTP: listeners, one request path for all of them, and what each may do. */
export { activatedFds } from './activation.ts';
export type { FdTarget, Target, TcpTarget, TlsOptions, UnixTarget } from './listener.ts';
export { createServer, type ListenerOptions, type ListenTarget, type Server, type ServerOptions } from './server.ts';
