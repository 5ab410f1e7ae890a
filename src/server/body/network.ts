/** Bodies of network create, connect and disconnect. */
import type { EndpointConfig, IpamPool, NetworkCreateBody } from '../../api/index.ts';
import { Fault } from '../../std/index.ts';
import { endpointConfig } from './container.ts';
import { boolean, list, object, text, textMap } from './shape.ts';

const networkShape = object<NetworkCreateBody>({
  Name: text,
  CheckDuplicate: boolean,
  Driver: text,
  Scope: text,
  Internal: boolean,
  Attachable: boolean,
  Ingress: boolean,
  EnableIPv4: boolean,
  EnableIPv6: boolean,
  IPAM: object({
    Driver: text,
    Config: list(object<IpamPool>({ Subnet: text, IPRange: text, Gateway: text, AuxiliaryAddresses: textMap })),
    Options: textMap,
  }),
  Options: textMap,
  Labels: textMap,
  ConfigOnly: boolean,
  ConfigFrom: object({ Network: text }),
});

interface ConnectBody {
  Container?: string;
  EndpointConfig?: EndpointConfig;
}
const connectShape = object<ConnectBody>({ Container: text, EndpointConfig: endpointConfig });

interface DisconnectBody {
  Container?: string;
  Force?: boolean;
}
const disconnectShape = object<DisconnectBody>({ Container: text, Force: boolean });

export function parseNetworkBody(value: unknown): NetworkCreateBody {
  const body: Partial<NetworkCreateBody> = networkShape(value, '');
  return { ...body, Name: body.Name ?? '' };
}

export function parseConnectBody(value: unknown): { container: string; endpoint: EndpointConfig } {
  const body = connectShape(value, '');
  return { container: containerOf(body.Container), endpoint: body.EndpointConfig ?? {} };
}

export function parseDisconnectBody(value: unknown): { container: string; force: boolean } {
  const body = disconnectShape(value, '');
  return { container: containerOf(body.Container), force: body.Force ?? false };
}

function containerOf(name: string | undefined): string {
  if (name === undefined || name === '')
    throw new Fault('invalid', 'invalid JSON: Container: want a container, got none');
  return name;
}
