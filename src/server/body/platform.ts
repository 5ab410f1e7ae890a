/** The `platform` of image calls since API 1.46: an OCI platform as JSON. Text, which older calls take, passes as it is. */
import { Fault } from '../../std/index.ts';

/** `{"os":"linux","architecture":"arm64","variant":"v8"}` as `linux/arm64/v8`. @throws Fault invalid in Docker's words */
export function decodePlatform(text: string): string {
  if (!text.startsWith('{')) return text;
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw new Fault('invalid', 'failed to parse platform: invalid JSON', { cause: error });
  }
  const part = (key: string): string => (typeof value[key] === 'string' ? value[key] : '');
  const [os, architecture, variant] = [part('os'), part('architecture'), part('variant')];
  if (os === '' && architecture === '' && variant !== '') {
    throw new Fault('invalid', 'optional platform components provided, but OS and Architecture are missing');
  }
  if (os === '' || architecture === '') throw new Fault('invalid', 'both OS and Architecture must be provided');
  return variant === '' ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}
