/** The kernel's face: mounts, namespaces, cgroups, links, nft, signals, through koffi and the distribution's tools. */
export { check, libc, SystemError } from './libc.ts';
export { mount, mountFlags, mountOverlay, type OverlayMount, unmount } from './mount.ts';
export { descriptorPath, openFlags, openInRoot, resolveInRoot, xattrsOfDescriptor } from './rooted.ts';
export { connectSeqpacket } from './seqpacket.ts';
export { signalNumber } from './signal.ts';
export {
  type CgroupLayout,
  cgroupFolders,
  cgroupLayout,
  cgroupPids,
  controllerFolder,
  enterLeaf,
  freeze,
  isFrozen,
  readIfThere,
  readKeyed,
  readNumber,
  removeCgroup,
  removeEmptyCgroup,
  thaw,
  warmCgroups,
} from './cgroup.ts';
export {
  hostId,
  type IdMapping,
  type IdRange,
  insideId,
  makeUserNamespace,
  mountMapped,
  type UserNamespace,
  withMounter,
} from './id-mapping.ts';
export { isMapped, isWholeMap, mustOwn, type Privileges, privileges, readIdMap } from './privileges.ts';
export {
  bootId,
  childrenOf,
  countsPidsAsWe,
  isAlive,
  processesOfNamespace,
  processesOn,
  processStart,
  runsWith,
  signalProcess,
} from './process.ts';
export { exited, pipePairs, pipeStream, sealProgram, spawnProcess } from './spawn.ts';
export { addressBytes, addressText } from './address-bytes.ts';
export {
  addLink,
  addVethPair,
  deleteLink,
  findLink,
  type Link,
  type LinkKind,
  linkIndex,
  listLinks,
  setBridgePort,
  setLink,
} from './link.ts';
export { bindInNamespace, connectTransparent, type NamespaceSocket } from './namespace-socket.ts';
export { type Netlink, openNetlink } from './netlink.ts';
export {
  adoptNetworkNamespace,
  createNetworkNamespace,
  removeNetworkNamespace,
  runInNetworkNamespace,
  sysctlPath,
  writeSysctl,
} from './network-namespace.ts';
export { type Nft, openNft } from './nft.ts';
export {
  addAddress,
  deleteAddress,
  deleteRoute,
  listAddresses,
  listRoutes,
  replaceRoute,
  type Route,
} from './route.ts';
export {
  changeMode,
  changeModeAt,
  changeOwner,
  changeOwnerAt,
  errno,
  exchangePaths,
  getXattr,
  linkAt,
  listXattrs,
  makeDirectoryAt,
  makeNodeAt,
  must,
  nextData,
  openAt,
  readLinkAt,
  removeXattr,
  removeXattrOf,
  renameAt,
  setTimes,
  setTimesAt,
  setXattr,
  setXattrOf,
  spreadDirectories,
  symlinkAt,
  seekTo,
  sendFile,
  syncFilesystem,
  unlinkAt,
} from './filesystem.ts';
export { type Flow, forgetFlows } from './conntrack.ts';
export { diskUsage, walkTree } from './disk-usage.ts';
export { copyAttributes, copyTreeContent } from './copy-tree.ts';
export { trimHeap } from './memory.ts';
export { connectDatagram, type DatagramSocket } from './datagram.ts';
export { compileSeccomp, type SeccompSource } from './seccomp.ts';
export { isTaken } from './socket-queue.ts';
