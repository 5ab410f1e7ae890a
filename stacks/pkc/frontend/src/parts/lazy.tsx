/** A part that is loaded when it is shown for the first time. */
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';

export function lazy<Props extends object>(load: () => Promise<ComponentType<Props>>): ComponentType<Props> {
  let known: ComponentType<Props> | undefined;
  return function Lazy(properties: Props) {
    const [Part, set] = useState<ComponentType<Props> | undefined>(() => known);
    const [failure, setFailure] = useState<string>();
    useEffect(() => {
      if (known !== undefined) return;
      load().then(
        (part) => {
          known = part;
          set(() => part);
        },
        () => setFailure('A part of this page could not be loaded. Reload the page.'),
      );
    }, []);
    if (failure !== undefined)
      return (
        <div class="notice" role="alert">
          {failure}
        </div>
      );
    return Part === undefined ? <p class="hint">…</p> : <Part {...properties} />;
  };
}
