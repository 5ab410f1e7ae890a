/** Views of a screenful each: the trash, the log, a card by its hash, a note by its title, a new note. */
import { useEffect, useState } from 'preact/hooks';
import type { AuditEntry, CardMetadata, Document, DocumentItem, Page } from '../../../api.ts';
import { ApiError, getJson, sendJson } from '../lib/client.ts';
import { draftOf } from '../lib/drafts.ts';
import { ago, exact } from '../lib/format.ts';
import { navigate } from '../lib/router.ts';
import { Confirm } from '../parts/dialog.tsx';
import { Editor } from '../parts/editor.tsx';
import { Shown, useLoaded } from '../parts/loading.tsx';
import { Viewer } from '../parts/viewer.tsx';

export function TrashView({ onChanged }: { onChanged: () => void }) {
  const [loaded, again] = useLoaded((signal) => getJson<Page<DocumentItem>>('/v1/trash?page_size=200', signal), '');
  const [doomed, doom] = useState<DocumentItem>();
  const [failure, setFailure] = useState<string>();
  const act = async (work: Promise<unknown>): Promise<void> => {
    try {
      await work;
      setFailure(undefined);
    } catch (error) {
      setFailure((error as Error).message);
    }
    again();
    onChanged();
  };
  return (
    <section aria-label="Trash">
      <h1>Trash</h1>
      {failure !== undefined && (
        <div class="notice" role="alert">
          {failure}
        </div>
      )}
      <Shown of={loaded} retry={again}>
        {({ items, total_items: total }) =>
          total === 0 ? (
            <p class="hint">The trash is empty.</p>
          ) : (
            <ul class="rows">
              {items.map((each) => (
                <li key={each.id} class="row">
                  <a href={`/d/${each.id}`}>{each.title}</a>
                  <span class="meta">deleted {ago(each.deleted_at ?? each.updated_at)}</span>
                  <button type="button" onClick={() => void act(sendJson('POST', `/v1/documents/${each.id}/undelete`))}>
                    Take back
                  </button>
                  <button type="button" class="danger" onClick={() => doom(each)}>
                    Delete for ever
                  </button>
                </li>
              ))}
            </ul>
          )
        }
      </Shown>
      {doomed !== undefined && (
        <Confirm
          title="Delete for ever"
          text={`“${doomed.title}” and all ${doomed.versions} of its versions will be gone. Only a backup brings them back.`}
          action="Delete for ever"
          onYes={() => void act(sendJson('DELETE', `/v1/trash/${doomed.id}`))}
          onClose={() => doom(undefined)}
        />
      )}
    </section>
  );
}

export function LogView() {
  const [page, setPage] = useState(1);
  const [loaded, again] = useLoaded(
    (signal) => getJson<Page<AuditEntry>>(`/v1/audit?page=${page}&page_size=100`, signal),
    page,
  );
  return (
    <section aria-label="Log">
      <h1>What was done</h1>
      <Shown of={loaded} retry={again}>
        {({ items, total_pages: pages }) => (
          <>
            <table>
              <thead>
                <tr>
                  <th scope="col">When</th>
                  <th scope="col">What</th>
                  <th scope="col">To what</th>
                </tr>
              </thead>
              <tbody>
                {items.map((each) => (
                  <tr key={each.id}>
                    <td class="meta">{exact(each.at)}</td>
                    <td>{each.action}</td>
                    <td>
                      {each.document_id === null ? (
                        each.detail
                      ) : (
                        <a href={`/d/${each.document_id}`}>{each.title ?? each.document_id}</a>
                      )}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
            {pages > 1 && (
              <div class="row">
                <button type="button" disabled={page === 1} onClick={() => setPage(page - 1)}>
                  Newer
                </button>
                <span class="meta">
                  {page} of {pages}
                </span>
                <button type="button" disabled={page >= pages} onClick={() => setPage(page + 1)}>
                  Older
                </button>
              </div>
            )}
          </>
        )}
      </Shown>
    </section>
  );
}

export function CardView({ hash }: { hash: string }) {
  const [loaded, again] = useLoaded((signal) => getJson<CardMetadata>(`/v1/card/${hash}/metadata`, signal), hash);
  return (
    <Shown of={loaded} retry={again}>
      {(card) => {
        const title = card.filename ?? `Card ${card.hash.slice(0, 12)}`;
        return (
          <article class="document">
            <header>
              <h1>{title}</h1>
              <p class="meta hash">
                <code>{card.hash}</code>
              </p>
              {card.document_id !== null && (
                <a class="button" href={`/d/${card.document_id}`}>
                  Open its document
                </a>
              )}
            </header>
            <Viewer hash={card.hash} content_type={card.content_type} size={card.size} title={title} />
          </article>
        );
      }}
    </Shown>
  );
}

/** `[[title]]`: opens what it means, or offers to write it. */
export function NamedView({ title }: { title: string }) {
  const [state, set] = useState('looking');
  useEffect(() => {
    getJson<DocumentItem>(`/v1/resolve?title=${encodeURIComponent(title)}`).then(
      ({ id }) => navigate(`/d/${id}`, { replace: true }),
      (error: Error) => set(error instanceof ApiError && error.status === 404 ? 'missing' : error.message),
    );
  }, [title]);
  if (state === 'looking') return <p class="hint">…</p>;
  if (state !== 'missing') return <div class="notice">{state}</div>;
  const create = async (): Promise<void> => {
    const made = await sendJson<Document>('POST', '/v1/documents', { title, content: `# ${title}\n\n` }).catch(
      (error: Error) => error.message,
    );
    if (typeof made === 'string') set(made);
    else navigate(`/d/${made.id}`, { replace: true });
  };
  return (
    <div class="notice">
      <p>No note is called “{title}” yet.</p>
      <button type="button" class="primary" onClick={() => void create()}>
        Write it
      </button>
    </div>
  );
}

export function NewView({ onChanged }: { onChanged: () => void }) {
  const [id, setId] = useState<string>();
  return (
    <Editor
      id="new"
      start={draftOf('new') ?? { title: '', content: '', base: undefined, at: Date.now() }}
      onSaved={(made) => {
        setId(made.id);
        onChanged();
      }}
      onDone={() => navigate(id === undefined ? '/' : `/d/${id}`, { replace: true })}
    />
  );
}
