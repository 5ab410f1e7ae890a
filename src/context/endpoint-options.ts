/** What the environment says of the daemon and of certificates; the command line's flags go before it. */
import type { EndpointOptions } from './choose-endpoint.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export function defaultConfigFolder(env: Environment): string {
  return given(env['DOCKER_CONFIG']) ?? `${env['HOME'] ?? '/root'}/.docker`;
}

export function endpointOptions(env: Environment, configFolder = defaultConfigFolder(env)): EndpointOptions {
  const certificates = given(env['DOCKER_CERT_PATH']) ?? configFolder;
  return {
    configFolder,
    context: undefined,
    host: undefined,
    tls: given(env['DOCKER_TLS']) !== undefined,
    tlsVerify: given(env['DOCKER_TLS_VERIFY']) !== undefined,
    tlsCaCert: `${certificates}/ca.pem`,
    tlsCert: `${certificates}/cert.pem`,
    tlsKey: `${certificates}/key.pem`,
  };
}

function given(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}
