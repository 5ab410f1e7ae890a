/** Options before the command: which daemon, which configuration. */
import { type EndpointOptions, endpointOptions } from '../context/index.ts';
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

export interface GlobalOptions extends EndpointOptions {
  debug: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

export function resolveGlobalOptions(flags: Flags, env: Environment): GlobalOptions {
  const given = endpointOptions(env, flags.optional('config'));
  return {
    configFolder: given.configFolder,
    context: flags.optional('context'),
    host: flags.list('host').at(-1),
    debug: flags.bool('debug'),
    tls: flags.bool('tls') || given.tls,
    tlsVerify: flags.changed('tlsverify') ? flags.bool('tlsverify') : given.tlsVerify,
    tlsCaCert: flags.optional('tlscacert') ?? given.tlsCaCert,
    tlsCert: flags.optional('tlscert') ?? given.tlsCert,
    tlsKey: flags.optional('tlskey') ?? given.tlsKey,
  };
}
