/** Where in the application one is, by the address. */
import { useEffect, useState } from 'preact/hooks';

export type Route =
  | { view: 'home' }
  | { view: 'new' }
  | { view: 'document'; id: string; panel: string | undefined }
  | { view: 'card'; hash: string }
  | { view: 'named'; title: string }
  | { view: 'graph' | 'ask' | 'trash' | 'log' | 'unknown' };

/** Pure. */
export function routeOf(path: string, search = ''): Route {
  const [, first = '', second = ''] = path.split('/');
  if (first === '') return { view: 'home' };
  if (first === 'd' && second !== '')
    return { view: 'document', id: second, panel: new URLSearchParams(search).get('panel') ?? undefined };
  if (first === 'c' && second !== '') return { view: 'card', hash: second };
  if (first === 'n' && second !== '') return { view: 'named', title: decoded(second) };
  if (first === 'new' || first === 'graph' || first === 'ask' || first === 'trash' || first === 'log')
    return { view: first };
  return { view: 'unknown' };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function navigate(path: string, { replace = false } = {}): void {
  if (location.pathname + location.search === path) return;
  history[replace ? 'replaceState' : 'pushState'](undefined, '', path);
  dispatchEvent(new PopStateEvent('popstate'));
}

export function useRoute(): Route {
  const [route, set] = useState(() => routeOf(location.pathname, location.search));
  useEffect(() => {
    const changed = (): void => set(routeOf(location.pathname, location.search));
    addEventListener('popstate', changed);
    return () => removeEventListener('popstate', changed);
  }, []);
  return route;
}

/** Links of ours change the address without loading a page. */
export function followLinks(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
    return;
  const link = (event.target as Element).closest('a');
  if (link === null || link.target !== '' || link.hasAttribute('download') || link.origin !== location.origin) return;
  if (link.pathname.startsWith('/v1/') || link.pathname.startsWith('/api/')) return;
  if (link.hash !== '' && link.pathname === location.pathname) return;
  event.preventDefault();
  navigate(link.pathname + link.search);
}
