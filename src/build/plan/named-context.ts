/** `--build-context name=…`: what stands in for the stage or the image of that name. */
import { familiarReference, parseReference, withDefaultTag } from '../../oci/index.ts';
import { isHttp, parseGit } from './remote.ts';

export type NamedContext = { readonly name: string; readonly value: string } & (
  | { readonly kind: 'image'; readonly reference: string }
  /** What another build made; `reference` is its value. */
  | { readonly kind: 'build'; readonly reference: string }
  | { readonly kind: 'git' | 'http'; readonly url: string }
  | { readonly kind: 'local' }
);

const imageScheme = 'docker-image://';
/** Of a build that is held: its id follows. */
export const buildScheme = 'wherry-build://';
/** These names mean what they mean, whatever contexts are given. */
const fixed = new Set(['scratch', 'context']);

export function namedContext(contexts: ReadonlyMap<string, string>, name: string): NamedContext | undefined {
  if (contexts.size === 0 || fixed.has(name.toLowerCase())) return undefined;
  const key = [name.toLowerCase(), name, familiar(name)].find((one) => one !== undefined && contexts.has(one));
  if (key === undefined) return undefined;
  const value = contexts.get(key)!;
  const given = { name: key, value };
  if (value.startsWith(imageScheme)) return { ...given, kind: 'image', reference: value.slice(imageScheme.length) };
  if (value.startsWith(buildScheme)) return { ...given, kind: 'build', reference: value };
  if (parseGit(value) !== undefined) return { ...given, kind: 'git', url: value };
  return isHttp(value) ? { ...given, kind: 'http', url: value } : { ...given, kind: 'local' };
}

/** As people write an image, without the tag everybody means. */
function familiar(name: string): string | undefined {
  try {
    return familiarReference(withDefaultTag(parseReference(name))).replace(/:latest$/, '');
  } catch {
    return undefined;
  }
}
