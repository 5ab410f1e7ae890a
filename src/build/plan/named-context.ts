/** `--build-context name=…`: what stands in for the stage or the image of that name. */
import { familiarReference, parseReference, withDefaultTag } from '../../oci/index.ts';
import { isHttp, parseGit } from './remote.ts';

export type NamedContext =
  | { readonly kind: 'image'; readonly reference: string }
  | { readonly kind: 'git'; readonly url: string }
  | { readonly kind: 'http'; readonly url: string }
  | { readonly kind: 'local'; readonly name: string };

const imageScheme = 'docker-image://';
/** These names mean what they mean, whatever contexts are given. */
const fixed = new Set(['scratch', 'context']);

export function namedContext(contexts: ReadonlyMap<string, string>, name: string): NamedContext | undefined {
  if (contexts.size === 0 || fixed.has(name.toLowerCase())) return undefined;
  const key = [name.toLowerCase(), name, familiar(name)].find((one) => one !== undefined && contexts.has(one));
  if (key === undefined) return undefined;
  const value = contexts.get(key)!;
  if (value.startsWith(imageScheme)) return { kind: 'image', reference: value.slice(imageScheme.length) };
  if (parseGit(value) !== undefined) return { kind: 'git', url: value };
  return isHttp(value) ? { kind: 'http', url: value } : { kind: 'local', name: key };
}

/** As people write an image, without the tag everybody means. */
function familiar(name: string): string | undefined {
  try {
    return familiarReference(withDefaultTag(parseReference(name))).replace(/:latest$/, '');
  } catch {
    return undefined;
  }
}
