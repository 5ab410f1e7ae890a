/** What a container weighs on disk. */
import type { Context, Live } from './context.ts';

export async function containerSizes(context: Context, live: Live): Promise<{ SizeRw: number; SizeRootFs: number }> {
  const SizeRw = await context.snapshots.usage(live.record.id);
  const image = await context.images.get(live.record.image);
  const size = image === undefined ? 0 : (await context.images.inspect(image.id, {})).Size;
  return { SizeRw, SizeRootFs: SizeRw + size };
}
