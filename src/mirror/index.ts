/**
 * A pull-through cache: other machines pull through this one. It speaks the distribution protocol, read-only, for the registries it is
 * told to serve; fetches from them what it is asked for and does not have, and keeps that within bounds.
 */
export type { Mirror, MirrorOptions, MirrorUsage } from './door.ts';
export { forgetMirror, openMirror } from './open.ts';
export { type MirrorSettings, resolveMirror } from './settings.ts';
