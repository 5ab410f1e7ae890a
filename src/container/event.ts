/** Container events with Docker's attributes: all labels, the image, the name, and what the action adds. */
import type { Context } from './context.ts';
import type { ContainerRecord } from './record.ts';

export function containerEvent(
  context: Context,
  record: ContainerRecord,
  action: string,
  extra: Record<string, string> = {},
): void {
  context.emit({
    Type: 'container',
    Action: action,
    Actor: {
      ID: record.id,
      Attributes: { ...record.config.Labels, ...extra, image: record.config.Image ?? '', name: record.name },
    },
  });
}
