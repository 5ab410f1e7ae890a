/** Images as a tree of the platforms they hold; where the daemon does not tell, of the names they have. */
import type { ImageSummary } from '../../api/index.ts';
import { humanSize } from '../../std/index.ts';
import { shortId } from './short.ts';
import { alignColumns } from './tabwriter.ts';

interface ManifestSummary {
  ID: string;
  Kind: string;
  Available: boolean;
  Size?: { Total: number };
  ImageData?: { Platform: { os: string; architecture: string; variant?: string }; Containers: string[] | null };
}

export function imageTree(images: readonly (ImageSummary & { Manifests?: ManifestSummary[] })[]): string {
  const lines = ['IMAGE\tID\tDISK USAGE\tIN USE'];
  for (const image of images) {
    const names = (image.RepoTags ?? []).length === 0 ? ['<untagged>'] : image.RepoTags;
    const used = image.Containers > 0 ? '✔' : '';
    lines.push(`${names[0]}\t${shortId(image.Id)}\t${humanSize(image.Size, 3)}\t${used}`);
    const manifests = (image.Manifests ?? []).filter((each) => each.Kind === 'image');
    const children = [
      ...names.slice(1).map((name) => `${name}\t${shortId(image.Id)}\t\t`),
      ...manifests.map((each) => {
        const platform = each.ImageData?.Platform;
        const name =
          platform === undefined
            ? 'unknown'
            : [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/');
        const inUse = (each.ImageData?.Containers ?? []).length > 0 ? '✔' : '';
        return `${name}\t${shortId(each.ID)}\t${humanSize(each.Size?.Total ?? 0, 3)}\t${inUse}`;
      }),
    ];
    children.forEach((child, index) => lines.push(`${index === children.length - 1 ? '└─' : '├─'} ${child}`));
  }
  return alignColumns(`${lines.join('\n')}\n`);
}
