/** The kernel's face: mounts, namespaces, cgroups, links, nft, signals, through koffi and the distribution's tools. */
export { check, libc, SystemError } from './libc.ts';
export { mount, mountFlags, mountOverlay, type OverlayMount, unmount } from './mount.ts';
