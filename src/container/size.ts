/** What a container weighs. */
import { diskUsage } from '../linux/index.ts';
import { type Context, containerDirectory, type Live } from './context.ts';
import { imageMountNames } from './create.ts';
import type { ContainerRecord } from './record.ts';

export async function containerSizes(context: Context, live: Live): Promise<{ SizeRw: number; SizeRootFs: number }> {
  const SizeRw = await context.snapshots.usage(live.record.id);
  const image = await context.images.get(live.record.image);
  const size = image === undefined ? 0 : (await context.images.inspect(image.id, {})).Size;
  return { SizeRw, SizeRootFs: SizeRw + size };
}

/** Bytes of the disk that its removal gives back: its files, its log. */
export async function containerUsage(context: Context, record: ContainerRecord): Promise<number> {
  let usage = await diskUsage(containerDirectory(context, record.id));
  for (const id of [record.id, ...imageMountNames(record)])
    if (context.snapshots.exists(id)) usage += await context.snapshots.diskUsage(id);
  return usage;
}
