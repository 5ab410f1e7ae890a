/** The daemon of an ordinary user: the part that stays on the host, and the way to it from inside (decision 19). */
export { connectHostPorts } from './host-ports.ts';
export { launch, type LaunchOptions } from './launch.ts';
