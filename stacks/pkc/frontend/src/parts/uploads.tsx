/** The files that are on their way, or came. */
import { useEffect, useState } from 'preact/hooks';
import { size } from '../lib/format.ts';
import { clearUploads, type Upload, watchUploads } from '../lib/uploads.ts';

export function Uploads() {
  const [all, set] = useState<readonly Upload[]>([]);
  useEffect(() => watchUploads(set), []);
  if (all.length === 0) return null;
  const open = all.filter(({ state }) => state === 'waiting' || state === 'sending').length;
  return (
    <section class="uploads" aria-label="Uploads">
      <header class="row">
        <strong role="status">
          {open > 0 ? `Uploading ${open} of ${all.length}` : `${all.length} ${all.length === 1 ? 'file' : 'files'}`}
        </strong>
        {open === 0 && (
          <button type="button" class="quiet" aria-label="Close uploads" onClick={clearUploads}>
            ✕
          </button>
        )}
      </header>
      <ul>
        {all.slice(-50).map((each) => (
          <li key={each.id} class={each.state === 'refused' ? 'refused' : ''}>
            <span class="name">
              {each.documentId === undefined ? each.name : <a href={`/d/${each.documentId}`}>{each.name}</a>}
            </span>
            <span class="meta">
              {each.state === 'sending' ? `${Math.round(each.progress * 100)} % of ${size(each.size)}` : each.state}
            </span>
            {each.state === 'sending' && <progress value={each.progress} max={1} aria-label={each.name} />}
            {each.message !== undefined && <p>{each.message}</p>}
          </li>
        ))}
      </ul>
    </section>
  );
}
