/** One document: read, written, its links and its history. */
import { lazy } from '../parts/lazy.tsx';
import { useEffect, useLayoutEffect, useState } from 'preact/hooks';
import type { Document, Links } from '../../../api.ts';
import { getJson, sendJson } from '../lib/client.ts';
import { draftOf, forgetDraft } from '../lib/drafts.ts';
import { ticked } from '../lib/editing.ts';
import { exact, size, withoutTitle } from '../lib/format.ts';
import { navigate } from '../lib/router.ts';
import { Confirm } from '../parts/dialog.tsx';
import { Editor } from '../parts/editor.tsx';
import { kindOf } from '../parts/list.tsx';
import { Shown, useLoaded } from '../parts/loading.tsx';
import { Markdown, Viewer } from '../parts/viewer.tsx';

const History = lazy(() => import('./history.tsx').then((module) => module.History));

export interface DocumentProps {
  id: string;
  panel: string | undefined;
  onChanged: () => void;
}

export function DocumentView({ id, panel, onChanged }: DocumentProps) {
  const [loaded, again] = useLoaded((signal) => getJson<Document>(`/v1/documents/${id}`, signal), id);
  return (
    <Shown of={loaded} retry={again}>
      {(document) =>
        document.id === id ? <Opened key={id} first={document} panel={panel} onChanged={onChanged} /> : null
      }
    </Shown>
  );
}

function Opened({ first, panel, onChanged }: { first: Document; panel: string | undefined; onChanged: () => void }) {
  const [document, setDocument] = useState(first);
  const [isEditing, setEditing] = useState(() => draftOf(first.id) !== undefined && first.type === 'note');
  const [isAsking, setAsking] = useState(false);
  const [failure, setFailure] = useState<string>();
  const { id } = document;
  const isGone = document.deleted_at !== null;

  useEffect(() => {
    globalThis.document.title = document.title;
  }, [document.title]);
  // At once: what is shown listens.
  useLayoutEffect(() => {
    const edit = (): void => {
      if (document.type === 'note' && !isGone) setEditing(true);
    };
    addEventListener('pkc-edit', edit);
    return () => removeEventListener('pkc-edit', edit);
  }, [document.type, isGone]);

  const change = async (work: () => Promise<Document | undefined>): Promise<void> => {
    try {
      const next = await work();
      setFailure(undefined);
      if (next !== undefined) setDocument(next);
      onChanged();
    } catch (error) {
      setFailure((error as Error).message);
    }
  };
  const remove = (): void =>
    void change(async () => {
      await sendJson('DELETE', `/v1/documents/${id}`);
      forgetDraft(id);
      return getJson<Document>(`/v1/documents/${id}`);
    });

  if (isEditing) {
    const draft = draftOf(id);
    return (
      <Editor
        id={id}
        start={draft ?? { title: document.title, content: document.content ?? '', base: document.hash, at: Date.now() }}
        onSaved={(next) => {
          setDocument(next);
          onChanged();
        }}
        onDone={() => setEditing(false)}
      />
    );
  }
  return (
    <article class="document">
      <header>
        <h1>{document.title}</h1>
        <p class="meta">
          {kindOf(document.content_type)} · {size(document.size)} · changed {exact(document.updated_at)} ·{' '}
          {document.versions} {document.versions === 1 ? 'version' : 'versions'}
          {document.path === null ? '' : ` · ${document.path}`}
        </p>
        <p class="meta hash">
          <code title="The SHA-256 of its bytes">{document.hash}</code>
          <button type="button" class="quiet" onClick={() => void navigator.clipboard?.writeText(document.hash)}>
            Copy
          </button>
        </p>
        <div class="row actions">
          {document.type === 'note' && !isGone && (
            <button type="button" class="primary" onClick={() => setEditing(true)}>
              Edit
            </button>
          )}
          <a class="button" href={`/d/${id}?panel=history`} aria-current={panel === 'history' ? 'page' : undefined}>
            History
          </a>
          <a
            class="button"
            href={`/v1/card/${document.hash}/content`}
            download={document.type === 'note' ? `${document.title}.md` : document.title}
          >
            Download
          </a>
          {isGone ? (
            <button
              type="button"
              onClick={() => void change(() => sendJson<Document>('POST', `/v1/documents/${id}/undelete`))}
            >
              Take it back
            </button>
          ) : (
            <button type="button" onClick={() => setAsking(true)}>
              Delete
            </button>
          )}
        </div>
      </header>
      {isGone && <div class="notice">This is in the trash. Nothing of it is lost yet.</div>}
      {failure !== undefined && (
        <div class="notice" role="alert">
          {failure}
        </div>
      )}
      {panel === 'history' ? (
        <History
          document={document}
          onRestore={(hash: string) =>
            void change(() => sendJson<Document>('POST', `/v1/documents/${id}/restore`, { hash })).then(() =>
              navigate(`/d/${id}`),
            )
          }
        />
      ) : document.type === 'note' ? (
        document.content === '' ? (
          <p class="hint">This note is empty.</p>
        ) : (
          <Markdown
            text={withoutTitle(document.content ?? '', document.title)}
            {...(isGone
              ? {}
              : {
                  onTick: (index: number) =>
                    void change(() =>
                      sendJson<Document>('PUT', `/v1/documents/${id}`, {
                        content: ticked(document.content ?? '', index),
                        base: document.hash,
                      }),
                    ),
                })}
          />
        )
      ) : (
        <Viewer {...document} />
      )}
      <LinksOf id={id} version={document.versions} />
      {isAsking && (
        <Confirm
          title="Delete"
          text={`“${document.title}” goes to the trash, with its history. You can take it back from there.`}
          action="Delete"
          onYes={remove}
          onClose={() => setAsking(false)}
        />
      )}
    </article>
  );
}

function LinksOf({ id, version }: { id: string; version: number }) {
  const [loaded, again] = useLoaded(
    (signal) => getJson<Links>(`/v1/documents/${id}/links`, signal),
    `${id} ${version}`,
  );
  return (
    <aside class="links" aria-label="Links">
      <Shown of={loaded} retry={again}>
        {({ outgoing, incoming }) => (
          <>
            <section>
              <h2>Links to</h2>
              {outgoing.length === 0 ? (
                <p class="hint">Nothing yet. [[A title]] makes a link.</p>
              ) : (
                <ul>
                  {outgoing.map(({ target, document }) => (
                    <li key={target}>
                      {document === null ? (
                        <a class="missing" href={`/n/${encodeURIComponent(target)}`}>
                          {target}
                        </a>
                      ) : (
                        <a href={`/d/${document.id}`}>{document.title}</a>
                      )}
                    </li>
                  ))}
                </ul>
              )}
            </section>
            <section>
              <h2>Linked from</h2>
              {incoming.length === 0 ? (
                <p class="hint">Nothing links here.</p>
              ) : (
                <ul>
                  {incoming.map((each) => (
                    <li key={each.id}>
                      <a href={`/d/${each.id}`}>{each.title}</a>
                    </li>
                  ))}
                </ul>
              )}
            </section>
          </>
        )}
      </Shown>
    </aside>
  );
}
