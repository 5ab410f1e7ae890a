/** What prunes say. */
import type { ImageDeleteEntry } from '../../api/index.ts';
import { humanSize } from '../../std/index.ts';
import type { Flags } from '../flag/parse.ts';
import type { Session } from '../session.ts';

/** The user's `pruneFilters` of config.json come before those of the line. */
export function pruneFilters(session: Session, flags: Flags): Record<string, string[]> {
  const filters = flags.filters();
  const configured = session.config().data['pruneFilters'];
  if (!Array.isArray(configured)) return filters;
  for (const each of configured.map(String)) {
    const equals = each.indexOf('=');
    if (equals > 0) (filters[each.slice(0, equals)] ??= []).push(each.slice(equals + 1));
  }
  return filters;
}

/** "Deleted Containers:" and the names, if there are any. */
export function deletedText(title: string, names: readonly string[] | null | undefined): string {
  return names == null || names.length === 0 ? '' : `${title}:\n${names.join('\n')}\n\n`;
}

export function imagesText(entries: readonly ImageDeleteEntry[] | null | undefined): string {
  const lines = (entries ?? []).map(({ Untagged, Deleted }) =>
    Untagged !== undefined && Untagged !== '' ? `untagged: ${Untagged}` : `deleted: ${Deleted}`,
  );
  return lines.length === 0 ? '' : `Deleted Images:\n${lines.join('\n')}\n\n`;
}

export function reclaimedText(bytes: number | undefined): string {
  return `Total reclaimed space: ${humanSize(bytes ?? 0)}\n`;
}
