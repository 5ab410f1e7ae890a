/** Networks: bridges, addresses, names, published ports. A sandbox is one container's network namespace. */
export type {
  EndpointRequest,
  NetworkEvent,
  Networking,
  NetworkingOptions,
  PublishedPorts,
  PublishRequest,
} from './door.ts';
export { openNetworking } from './open.ts';
