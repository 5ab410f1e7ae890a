/** The page: the list, what is open, and what is true everywhere (keys, drops, the backend being away). */
import { type JSX, render } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Config } from '../../api.ts';
import { call, getJson, watchPresence } from './lib/client.ts';
import { followLinks, navigate, type Route, useRoute } from './lib/router.ts';
import { filesOf, upload } from './lib/uploads.ts';
import { Dialog } from './parts/dialog.tsx';
import { lazy } from './parts/lazy.tsx';
import { List } from './parts/list.tsx';
import { Uploads } from './parts/uploads.tsx';
import { AskView } from './views/ask.tsx';
import { DocumentView } from './views/document.tsx';
import { CardView, LogView, NamedView, NewView, TrashView } from './views/small.tsx';

const GraphView = lazy(() => import('./views/graph.tsx').then((module) => module.GraphView));

const keys: readonly (readonly [string, string])[] = [
  ['/  or  Ctrl K', 'Search'],
  ['↑ ↓', 'Walk through the list'],
  ['n', 'New note'],
  ['e', 'Edit what is open'],
  ['g g', 'Graph'],
  ['a', 'Ask'],
  ['Ctrl B, I, E, K', 'Bold, italic, code, link (while writing)'],
  ['Ctrl Enter', 'Done writing'],
  ['Esc', 'Back to the list'],
  ['?', 'This help'],
];

function App() {
  const route = useRoute();
  const [tick, setTick] = useState(0);
  const [isAway, setAway] = useState(false);
  const [isHelp, setHelp] = useState(false);
  const [isOver, setOver] = useState(false);
  const [title, setTitle] = useState('PKC');
  const search = useRef<HTMLInputElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const changed = (): void => setTick((count) => count + 1);

  useEffect(() => {
    getJson<Config>('/v1/config').then(
      (config) => setTitle(config.title),
      () => {},
    );
    watchPresence((isThere) => setAway(!isThere));
    document.addEventListener('click', followLinks);
    return () => document.removeEventListener('click', followLinks);
  }, []);

  useEffect(() => {
    if (!isAway) return undefined;
    const timer = setInterval(() => void call('/v1/health').then(changed, () => {}), 3000);
    return () => clearInterval(timer);
  }, [isAway]);

  useEffect(() => {
    if (route.view !== 'document') document.title = title;
  }, [route, title]);

  useEffect(() => {
    let last = '';
    const keyed = (event: KeyboardEvent): void => {
      const isTyping = (event.target as Element).closest('input, textarea, select, [contenteditable]') !== null;
      if ((event.ctrlKey || event.metaKey) && event.key === 'k' && !(event.target as Element).matches('textarea')) {
        event.preventDefault();
        search.current?.focus();
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === 'Escape' && document.querySelector('dialog[open]') === null) {
        if (isTyping) (event.target as HTMLElement).blur();
        else if (location.pathname !== '/') navigate('/');
        return;
      }
      if (isTyping) return;
      const isTwice = last === 'g' && event.key === 'g';
      last = event.key;
      if (event.key === '/') search.current?.focus();
      else if (event.key === 'n') navigate('/new');
      else if (event.key === 'e') dispatchEvent(new Event('pkc-edit'));
      else if (event.key === 'a') navigate('/ask');
      else if (event.key === '?') setHelp(true);
      else if (isTwice) navigate('/graph');
      else return;
      event.preventDefault();
    };
    addEventListener('keydown', keyed);
    return () => removeEventListener('keydown', keyed);
  }, []);

  useEffect(() => {
    const over = (event: DragEvent): void => {
      if (event.dataTransfer?.types.includes('Files') !== true) return;
      event.preventDefault();
      setOver(true);
    };
    const leave = (event: DragEvent): void => {
      if (event.relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent): void => {
      setOver(false);
      if (event.defaultPrevented || event.dataTransfer === null || !event.dataTransfer.types.includes('Files')) return;
      event.preventDefault();
      void filesOf(event.dataTransfer).then(upload).then(changed);
    };
    addEventListener('dragover', over);
    addEventListener('dragleave', leave);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('dragover', over);
      removeEventListener('dragleave', leave);
      removeEventListener('drop', drop);
    };
  }, []);

  return (
    <div class={`app ${route.view === 'home' ? 'at-home' : 'at-work'}`}>
      <a class="skip" href="#main">
        To the document
      </a>
      <header class="bar">
        <a class="brand" href="/">
          {title}
        </a>
        <nav class="row" aria-label="Views">
          <a href="/graph" aria-current={route.view === 'graph' ? 'page' : undefined}>
            Graph
          </a>
          <a href="/ask" aria-current={route.view === 'ask' ? 'page' : undefined}>
            Ask
          </a>
          <a href="/trash" aria-current={route.view === 'trash' ? 'page' : undefined}>
            Trash
          </a>
          <a href="/log" aria-current={route.view === 'log' ? 'page' : undefined}>
            Log
          </a>
        </nav>
        <div class="row end">
          <button type="button" class="quiet" aria-label="Dark or light" title="Dark or light" onClick={turnTheme}>
            ◐
          </button>
          <button type="button" class="quiet" aria-label="Help" title="Keys and help" onClick={() => setHelp(true)}>
            ?
          </button>
          <button type="button" onClick={() => picker.current?.click()}>
            Upload
          </button>
          <a class="button primary" href="/new">
            New note
          </a>
        </div>
        <input
          ref={picker}
          type="file"
          multiple
          hidden
          aria-label="Files to upload"
          onChange={(event) => {
            const files = [...(event.currentTarget.files ?? [])].map((file) => ({
              file,
              path: file.webkitRelativePath || undefined,
            }));
            void upload(files).then(changed);
            event.currentTarget.value = '';
          }}
        />
      </header>
      {isAway && (
        <div class="banner" role="alert">
          PKC’s backend is away. What you type is kept here; this page tries again by itself.
        </div>
      )}
      <List search={search} current={route.view === 'document' ? route.id : undefined} tick={tick} />
      <main id="main" tabIndex={-1}>
        {route.view !== 'home' && (
          <a class="back" href="/">
            ← All documents
          </a>
        )}
        <View route={route} onChanged={changed} />
      </main>
      <Uploads />
      {isOver && <div class="drop">Drop files and folders anywhere</div>}
      {isHelp && (
        <Dialog title="Keys and help" onClose={() => setHelp(false)}>
          <dl class="keys">
            {keys.map(([key, text]) => (
              <div key={key}>
                <dt>
                  <kbd>{key}</kbd>
                </dt>
                <dd>{text}</dd>
              </div>
            ))}
          </dl>
          <p>
            <a href="/v1/export" download>
              Everything as plain files (zip)
            </a>
          </p>
        </Dialog>
      )}
    </div>
  );
}

function View({ route, onChanged }: { route: Route; onChanged: () => void }): JSX.Element {
  switch (route.view) {
    case 'home':
      return (
        <div class="welcome">
          <p>Choose a document, or write a new one.</p>
          <p class="hint">
            <kbd>n</kbd> new note · <kbd>/</kbd> search · <kbd>?</kbd> all keys · drop files anywhere
          </p>
        </div>
      );
    case 'new':
      return <NewView onChanged={onChanged} />;
    case 'document':
      return <DocumentView id={route.id} panel={route.panel} onChanged={onChanged} />;
    case 'card':
      return <CardView hash={route.hash} />;
    case 'named':
      return <NamedView title={route.title} />;
    case 'graph':
      return <GraphView />;
    case 'ask':
      return <AskView />;
    case 'trash':
      return <TrashView onChanged={onChanged} />;
    case 'log':
      return <LogView />;
    default:
      return <p class="notice">There is no such page.</p>;
  }
}

function turnTheme(): void {
  const { dataset } = document.documentElement;
  const isDark =
    dataset['theme'] === undefined ? matchMedia('(prefers-color-scheme: dark)').matches : dataset['theme'] === 'dark';
  dataset['theme'] = isDark ? 'light' : 'dark';
  localStorage.setItem('pkc.theme', dataset['theme']);
}

render(<App />, document.getElementById('app')!);
