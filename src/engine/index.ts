/** All nouns wired: configuration, events, system facts, and rules that need two nouns. */
export { type Config, daemonOptions, type ListenSetting, parseDaemonFlags, resolveConfig } from './config.ts';
export type { Building } from './building.ts';
export { enterMountNamespace } from './hybrid.ts';
export { openEngine, type OpenEngine } from './open.ts';
export { productVersion, wherryVersion } from './version.ts';
