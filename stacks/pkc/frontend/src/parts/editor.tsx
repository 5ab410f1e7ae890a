/** A note being written: Markdown and how it will look, stored as one goes. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Document, DocumentItem, Page } from '../../../api.ts';
import { ApiError, getJson, sendJson } from '../lib/client.ts';
import { type Draft, forgetDraft, keepDraft } from '../lib/drafts.ts';
import { continued, indented, linkBeingTyped, linked, type Text, ticked, wrapped } from '../lib/editing.ts';
import { filesOf, upload } from '../lib/uploads.ts';
import { Markdown } from './viewer.tsx';

const saveAfterMs = 800;
const retryMs = 3_000;

type Saving =
  | { state: 'saved' }
  | { state: 'changed' }
  | { state: 'saving' }
  | { state: 'failed'; message: string }
  | { state: 'conflict'; theirs: Document };

export interface EditorProps {
  /** `new`, or a document's. */
  id: string;
  start: Draft;
  onSaved: (document: Document) => void;
  onDone: () => void;
}

export function Editor({ id, start, onSaved, onDone }: EditorProps) {
  const [title, setTitle] = useState(start.title);
  const [content, setContent] = useState(start.content);
  const [saving, setSaving] = useState<Saving>({ state: 'saved' });
  const [pane, setPane] = useState<'write' | 'both' | 'look'>(innerWidth < 900 ? 'write' : 'both');
  const [matches, setMatches] = useState<readonly string[]>([]);
  const area = useRef<HTMLTextAreaElement>(null);
  const now = useRef({
    id,
    base: start.base,
    title: start.title,
    content: start.content,
    stored: { title: start.title, content: start.base === undefined ? '' : start.content },
    isSaving: false,
  });
  now.current.title = title;
  now.current.content = content;

  const isChanged = (): boolean => {
    const { stored } = now.current;
    return stored.title !== now.current.title || stored.content !== now.current.content;
  };

  /** One at a time; what was typed meanwhile is stored next. */
  const save = async (): Promise<boolean> => {
    const state = now.current;
    if (state.isSaving) return false;
    if (!isChanged() || (state.base === undefined && state.content.trim() === '' && state.title.trim() === ''))
      return true;
    state.isSaving = true;
    setSaving({ state: 'saving' });
    const sent = { title: state.title, content: state.content };
    try {
      const named = sent.title.trim() === '' ? {} : { title: sent.title };
      const stored =
        state.base === undefined
          ? await sendJson<Document>('POST', '/v1/documents', { content: sent.content, ...named })
          : await sendJson<Document>('PUT', `/v1/documents/${state.id}`, {
              content: sent.content,
              ...named,
              base: state.base,
            });
      forgetDraft(state.id);
      if (state.base === undefined && sent.title.trim() === '')
        setTitle((typed) => (typed.trim() === '' ? stored.title : typed));
      state.id = stored.id;
      state.base = stored.hash;
      state.stored = { title: sent.title.trim() === '' ? stored.title : sent.title, content: sent.content };
      setSaving(state.content === sent.content ? { state: 'saved' } : { state: 'changed' });
      onSaved(stored);
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.code === 'conflict')
        setSaving({ state: 'conflict', theirs: await getJson<Document>(`/v1/documents/${state.id}`) });
      else setSaving({ state: 'failed', message: (error as Error).message });
      return false;
    } finally {
      state.isSaving = false;
    }
  };

  useEffect(() => {
    if (!isChanged()) return undefined;
    keepDraft(now.current.id, { title, content, base: now.current.base, at: Date.now() });
    setSaving((before) =>
      before.state === 'conflict' || before.state === 'saving'
        ? before
        : before.state === 'failed'
          ? before
          : { state: 'changed' },
    );
    const timer = setTimeout(() => void save(), saveAfterMs);
    return () => clearTimeout(timer);
  }, [title, content]);

  useEffect(() => {
    if (saving.state !== 'failed' && saving.state !== 'changed') return undefined;
    const timer = setTimeout(() => void save(), retryMs);
    return () => clearTimeout(timer);
  }, [saving]);

  useEffect(() => {
    area.current?.focus();
    const leaving = (event: BeforeUnloadEvent): void => {
      if (isChanged()) event.preventDefault();
    };
    addEventListener('beforeunload', leaving);
    return () => {
      removeEventListener('beforeunload', leaving);
      void save();
    };
  }, []);

  const put = ({ value, start: from, end: to }: Text): void => {
    const element = area.current!;
    // As if it had been typed: the browser's own undo takes it back.
    element.focus();
    element.setSelectionRange(0, element.value.length);
    if (!document.execCommand('insertText', false, value)) element.value = value;
    element.setSelectionRange(from, to);
    setContent(element.value);
  };
  const text = (): Text => ({
    value: area.current!.value,
    start: area.current!.selectionStart,
    end: area.current!.selectionEnd,
  });

  const suggest = async (): Promise<void> => {
    const typed = linkBeingTyped(text());
    if (typed === undefined || typed.text.trim() === '') return setMatches([]);
    const parameters = new URLSearchParams({ query: typed.text, page_size: '6' });
    const found = await getJson<Page<DocumentItem>>(`/v1/documents?${parameters.toString()}`).catch(() => undefined);
    setMatches((found?.items ?? []).map((each) => each.title));
  };
  const complete = (name: string): void => {
    const typed = linkBeingTyped(text());
    if (typed === undefined) return;
    const { value, end } = text();
    const rest = value.slice(end).replace(/^\]\]/, '');
    const before = `${value.slice(0, typed.from)}${name}]]`;
    put({ value: before + rest, start: before.length, end: before.length });
    setMatches([]);
  };

  const attach = async (data: DataTransfer): Promise<void> => {
    const stored = (await upload(await filesOf(data))).filter((each) => each !== undefined);
    if (stored.length === 0) return;
    const links = stored
      .map(
        ({ hash, content_type: type, document }) =>
          `${type.startsWith('image/') ? '!' : ''}[${document.title.replace(/[[\]]/g, '')}](card:${hash})`,
      )
      .join('\n');
    const { value, start: from, end: to } = text();
    put({
      value: value.slice(0, from) + links + value.slice(to),
      start: from + links.length,
      end: from + links.length,
    });
  };

  const keyed = (event: KeyboardEvent): void => {
    const isCommand = event.ctrlKey || event.metaKey;
    const wrap = isCommand
      ? ({ b: '**', i: '*', e: '`' } as Record<string, string>)[event.key.toLowerCase()]
      : undefined;
    if (wrap !== undefined) put(wrapped(text(), wrap));
    else if (isCommand && event.key.toLowerCase() === 'k') put(linked(text()));
    else if (isCommand && event.key.toLowerCase() === 's') void save();
    else if (isCommand && event.key === 'Enter') void finish();
    else if (event.key === 'Tab' && matches.length > 0) complete(matches[0]!);
    else if (event.key === 'Tab') put(indented(text(), event.shiftKey));
    else if (event.key === 'Escape' && matches.length > 0) setMatches([]);
    else if (event.key === 'Escape') return area.current?.blur();
    else if (event.key === 'Enter' && !event.shiftKey) {
      const next = continued(text());
      if (next === undefined) return;
      put(next);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const finish = async (): Promise<void> => {
    if (await save()) onDone();
  };

  const settle = async (mine: boolean, theirs: Document): Promise<void> => {
    now.current.base = theirs.hash;
    now.current.stored = { title: theirs.title, content: theirs.content ?? '' };
    if (!mine) {
      setTitle(theirs.title);
      setContent(theirs.content ?? '');
      forgetDraft(now.current.id);
    }
    setSaving({ state: 'saved' });
    if (mine) await save();
  };

  return (
    <section class="editor" aria-label="Editor">
      <header class="row">
        <input
          class="title"
          aria-label="Title"
          placeholder="Title"
          value={title}
          onInput={(event) => setTitle(event.currentTarget.value)}
        />
        <span class={`saving ${saving.state}`} role="status">
          {
            {
              saved: 'Saved',
              changed: 'Not saved yet',
              saving: 'Saving…',
              failed: 'Not saved',
              conflict: 'Changed elsewhere',
            }[saving.state]
          }
        </span>
        <div class="segments" role="group" aria-label="Panes">
          {(['write', 'both', 'look'] as const).map((each) => (
            <button
              type="button"
              key={each}
              class={each === 'both' ? 'wide' : ''}
              aria-pressed={pane === each}
              onClick={() => setPane(each)}
            >
              {{ write: 'Write', both: 'Both', look: 'Preview' }[each]}
            </button>
          ))}
        </div>
        <button type="button" class="primary" onClick={() => void finish()}>
          Done
        </button>
      </header>
      {saving.state === 'failed' && (
        <div class="notice" role="alert">
          <p>Not saved: {saving.message} What you typed is kept in this browser, and tried again.</p>
        </div>
      )}
      {saving.state === 'conflict' && (
        <div class="notice" role="alert">
          <p>
            This note was changed elsewhere while you wrote. Both texts are below; whichever you take, the other stays
            in the history.
          </p>
          <div class="row">
            <button type="button" onClick={() => void settle(true, saving.theirs)}>
              Save mine
            </button>
            <button type="button" onClick={() => void settle(false, saving.theirs)}>
              Take theirs
            </button>
          </div>
          <pre class="text" aria-label="Their text">
            {saving.theirs.content}
          </pre>
        </div>
      )}
      <div class={`panes show-${pane}`}>
        {pane !== 'look' && (
          <div class="write">
            <textarea
              ref={area}
              aria-label="Text"
              placeholder="Write. [[ links to another note, # makes a heading, - [ ] a task."
              value={content}
              spellcheck
              onInput={(event) => {
                setContent(event.currentTarget.value);
                void suggest();
              }}
              onKeyDown={keyed}
              onPaste={(event) => {
                if (event.clipboardData === null || event.clipboardData.files.length === 0) return;
                event.preventDefault();
                void attach(event.clipboardData);
              }}
              onDrop={(event) => {
                if (event.dataTransfer === null || event.dataTransfer.files.length === 0) return;
                event.preventDefault();
                event.stopPropagation();
                void attach(event.dataTransfer);
              }}
            />
            {matches.length > 0 && (
              <ul class="matches" aria-label="Notes to link">
                {matches.map((name) => (
                  <li key={name}>
                    <button
                      type="button"
                      onMouseDown={(event) => event.preventDefault()}
                      onClick={() => complete(name)}
                    >
                      {name}
                    </button>
                  </li>
                ))}
              </ul>
            )}
          </div>
        )}
        {pane !== 'write' && (
          <div class="look" aria-label="Preview" role="region">
            <Markdown text={content} onTick={(index) => setContent((before) => ticked(before, index))} />
          </div>
        )}
      </div>
    </section>
  );
}
