/** Outputs to the image store. */
import type { ImageStore } from '../../image/index.ts';
import { parseReference, withDefaultTag } from '../../oci/index.ts';
import { Fault } from '../../std/index.ts';
import type { Exporter } from '../export/door.ts';

export function storeExporter(images: ImageStore): Exporter {
  return {
    export: async (build, output, _context, signal) => {
      if (output.type === 'cacheonly') return { image: undefined, manifest: undefined };
      if (output.type !== 'image') throw new Fault('not-implemented', `output ${output.type}`);
      const names = output.names.map((name) => withDefaultTag(parseReference(name)));
      const config = Buffer.from(JSON.stringify(build.config));
      return { image: await images.addBuilt({ config, layers: build.layers, names }, signal), manifest: undefined };
    },
  };
}
