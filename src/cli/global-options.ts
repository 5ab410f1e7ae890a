/** Options before the command: which daemon, which configuration. */
import type { Flags } from './flag/parse.ts';

export const globalFlags = (configFolder: string): string => `
      --config string      Location of client config files (default "${configFolder}")
  -c, --context string     Name of the context to use to connect to the daemon (overrides DOCKER_HOST env var and default context set with "wherry context use")
  -D, --debug              Enable debug mode
  -H, --host list          Daemon socket to connect to
  -l, --log-level string   Set the logging level ("debug", "info", "warn", "error", "fatal") (default "info")
      --tls                Use TLS; implied by --tlsverify
      --tlscacert string   Trust certs signed only by this CA (default "${configFolder}/ca.pem")
      --tlscert string     Path to TLS certificate file (default "${configFolder}/cert.pem")
      --tlskey string      Path to TLS key file (default "${configFolder}/key.pem")
      --tlsverify          Use TLS and verify the remote
  -v, --version            Print version information and quit
`;

export interface GlobalOptions {
  configFolder: string;
  context: string | undefined;
  host: string | undefined;
  debug: boolean;
  tls: boolean;
  tlsVerify: boolean;
  tlsCaCert: string;
  tlsCert: string;
  tlsKey: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

export function defaultConfigFolder(env: Environment): string {
  return set(env['DOCKER_CONFIG']) ?? `${env['HOME'] ?? '/root'}/.docker`;
}

export function resolveGlobalOptions(flags: Flags, env: Environment): GlobalOptions {
  const configFolder = flags.optional('config') ?? defaultConfigFolder(env);
  const certificates = set(env['DOCKER_CERT_PATH']) ?? configFolder;
  const hosts = flags.list('host');
  return {
    configFolder,
    context: flags.optional('context'),
    host: hosts.at(-1),
    debug: flags.bool('debug'),
    tls: flags.bool('tls') || set(env['DOCKER_TLS']) !== undefined,
    tlsVerify: flags.changed('tlsverify') ? flags.bool('tlsverify') : set(env['DOCKER_TLS_VERIFY']) !== undefined,
    tlsCaCert: flags.optional('tlscacert') ?? `${certificates}/ca.pem`,
    tlsCert: flags.optional('tlscert') ?? `${certificates}/cert.pem`,
    tlsKey: flags.optional('tlskey') ?? `${certificates}/key.pem`,
  };
}

function set(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}
