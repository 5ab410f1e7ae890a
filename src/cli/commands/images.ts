/** `wherry images`. */
import type { ImageSummary } from '../../api/index.ts';
import { humanDuration, humanSize } from '../../std/index.ts';
import { atMost, type Command } from '../command.ts';
import { tableWidth } from '../output/fit-table.ts';
import { formatList, type ListShape, type Row } from '../output/list.ts';
import { goTime, shortId } from '../output/short.ts';
import { formatHelp } from '../output/format-help.ts';

export const command: Command = {
  use: '[OPTIONS] [REPOSITORY[:TAG]]',
  flags: `
  -a, --all             Show all images (default hides intermediate images)
      --digests         Show digests
  -f, --filter filter   Filter output based on conditions provided
      --format string   ${formatHelp}
      --no-trunc        Don't truncate output
  -q, --quiet           Only show image IDs
      --tree            List multi-platform images as a tree (EXPERIMENTAL)
`,
  arity: atMost(1),
  completes: ['image'],
  examples: `
# What is here
wherry images
# The versions of one repository, with their digests
wherry images --digests nginx
# The platforms of each, what they take unpacked and stored, and which containers use them
wherry images --tree
# What no name points to, and 'wherry image prune' would remove
wherry images -f dangling=true`,
  async run(session, { flags, args: [pattern] }) {
    const client = await session.client();
    const filters = flags.filters();
    if (pattern !== undefined) filters['reference'] = [...(filters['reference'] ?? []), pattern];
    const tree = flags.bool('tree');
    const images = await client.images.list({ all: flags.bool('all'), manifests: tree, filters });
    if (tree) {
      const { imageTree } = await import('../output/image-tree.ts');
      const containers = await client.containers.list({ all: true });
      session.out.write(imageTree(images, containers, tableWidth(session.out)));
      return;
    }
    const full = flags.bool('no-trunc');
    const quiet = flags.bool('quiet');
    const digests = flags.bool('digests');
    const format = flags.string('format') || (quiet ? '' : (session.config().data.imagesFormat ?? ''));
    if (quiet && (format === '' || format === 'table')) {
      session.out.write(images.map(({ Id }) => `${full ? Id : shortId(Id)}\n`).join(''));
      return;
    }
    const withDigests = digests || /\{\{[^}]*\.Digest\b/.test(format);
    const rows = images.flatMap((image) => imageRows(image, { full, withDigests, now: session.now() }));
    const columns = digests
      ? ['Repository', 'Tag', 'Digest', 'ID', 'CreatedSince', 'Size']
      : ['Repository', 'Tag', 'ID', 'CreatedSince', 'Size'];
    session.out.write(await formatList({ ...shape, columns }, rows, format));
  },
};

const shape: ListShape = {
  type: 'imageContext',
  headers: {
    ID: 'IMAGE ID',
    Repository: 'REPOSITORY',
    Tag: 'TAG',
    Digest: 'DIGEST',
    CreatedSince: 'CREATED',
    CreatedAt: 'CREATED AT',
    Size: 'SIZE',
    Containers: 'CONTAINERS',
    VirtualSize: 'SIZE',
    SharedSize: 'SHARED SIZE',
    UniqueSize: 'UNIQUE SIZE',
  },
  columns: [],
};

interface RowRules {
  full: boolean;
  withDigests: boolean;
  now: number;
}

const none = '<none>';

/** A row per tag, or per tag and digest; an image without either has one row. */
function imageRows(image: ImageSummary, rules: RowRules): Row[] {
  const tags = (image.RepoTags ?? []).filter((tag) => tag !== `${none}:${none}`);
  const digests = (image.RepoDigests ?? []).filter((digest) => digest !== `${none}@${none}`);
  const byRepository = new Map<string, { tags: string[]; digests: string[] }>();
  const of = (repository: string): { tags: string[]; digests: string[] } => {
    const held = byRepository.get(repository) ?? { tags: [], digests: [] };
    byRepository.set(repository, held);
    return held;
  };
  for (const tag of tags) of(tag.slice(0, tag.lastIndexOf(':'))).tags.push(tag.slice(tag.lastIndexOf(':') + 1));
  for (const digest of digests)
    of(digest.slice(0, digest.indexOf('@'))).digests.push(digest.slice(digest.indexOf('@') + 1));
  if (byRepository.size === 0) return [imageRow(image, none, none, none, rules)];
  return [...byRepository].flatMap(([repository, names]) => {
    const shownTags = names.tags.length === 0 ? [none] : names.tags;
    const shownDigests = rules.withDigests && names.digests.length > 0 ? names.digests : [none];
    return shownTags.flatMap((tag) => shownDigests.map((digest) => imageRow(image, repository, tag, digest, rules)));
  });
}

function imageRow(image: ImageSummary, repository: string, tag: string, digest: string, { full, now }: RowRules): Row {
  const size = (bytes: number): string => (bytes === -1 || bytes === undefined ? 'N/A' : humanSize(bytes, 3));
  const { Size: total, SharedSize: shared, Containers: containers } = image;
  return {
    ID: full ? image.Id : shortId(image.Id),
    Repository: repository,
    Tag: tag,
    Digest: digest,
    CreatedSince: image.Created <= 0 ? 'N/A' : `${humanDuration(now - image.Created * 1000)} ago`,
    CreatedAt: goTime(image.Created),
    Size: humanSize(total, 3),
    Containers: containers === -1 || containers === undefined ? 'N/A' : String(containers),
    VirtualSize: humanSize(total),
    SharedSize: size(shared),
    UniqueSize: shared === -1 || shared === undefined ? 'N/A' : humanSize(total - shared, 3),
  };
}
