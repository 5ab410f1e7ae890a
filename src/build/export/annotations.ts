/** `annotation[-kind][[platform]].key=value` of an output (buildkit, exporter/containerimage/exptypes/annotations.go). Pure. */
import { parsePlatform, type Platform, platformDistance } from '../../oci/index.ts';
import { Fault } from '../../std/index.ts';
import type { Attributes } from './attributes.ts';

export interface Annotations {
  /** In the manifest itself. */
  manifest: Readonly<Record<string, string>>;
  /** Where an index names the manifest. */
  descriptor: Readonly<Record<string, string>>;
  /** Whether an index was to have some: there is none for a single platform. */
  index: boolean;
}

/** What is for another platform is left out. @throws Fault invalid for a kind that there is not */
export function annotationsOf(attributes: Attributes, platform: Platform): Annotations {
  const manifest: Record<string, string> = {};
  const descriptor: Record<string, string> = {};
  let index = false;
  for (const [name, value] of Object.entries(attributes)) {
    const match = /^annotation(?:-([^.[]+))?(?:\[([^\]]*)\])?\.(.+)$/s.exec(name);
    if (match === null) continue;
    const [, kind = 'manifest', of, key] = match as unknown as [string, string | undefined, string | undefined, string];
    const isOurs = of === undefined || platformDistance(parsePlatform(of), platform) === 0;
    if (kind === 'index' || kind === 'index-descriptor') index = true;
    else if (kind !== 'manifest' && kind !== 'manifest-descriptor')
      throw new Fault('invalid', `unrecognized annotation type ${kind}`);
    else if (isOurs) (kind === 'manifest' ? manifest : descriptor)[key] = value;
  }
  return { manifest, descriptor, index };
}
