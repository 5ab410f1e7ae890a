/** The body of volume create. */
import type { VolumeCreateBody } from '../../api/index.ts';
import { object, text, textMap } from './shape.ts';

const volumeShape = object<VolumeCreateBody>({ Name: text, Driver: text, DriverOpts: textMap, Labels: textMap });

export function parseVolumeBody(value: unknown): VolumeCreateBody {
  return value === undefined ? {} : volumeShape(value, '');
}
