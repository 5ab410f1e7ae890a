/** Named volumes: folders and devices with a name, filled from images, kept for a while after removal. */
export type { VolumeEvent, Volumes, VolumesOptions } from './door.ts';
export { openVolumes } from './volumes.ts';
