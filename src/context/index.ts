/** The user's Docker configuration: `config.json`, contexts, registry credentials; which daemon is meant. */
export {
  chooseEndpoint,
  contextName,
  defaultSocket,
  type EndpointChoice,
  type EndpointOptions,
} from './choose-endpoint.ts';
export { type AuthEntry, type ConfigData, type ConfigFile, readConfigFile } from './config-file.ts';
export { authHeaderFor, type Configured, credentialsFor, encodeAuth, helperFor, hubKey } from './credentials.ts';
export { defaultConfigFolder, endpointOptions } from './endpoint-options.ts';
export { askHelper } from './helper-program.ts';
export {
  canonicalRepository,
  familiarRepository,
  type ImageName,
  parseImageName,
  registryOf,
  withTag,
} from './reference.ts';
export { type ContextMeta, ContextStore, type TlsFiles } from './store.ts';
