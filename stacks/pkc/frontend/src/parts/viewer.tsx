/** A file, shown: what could act is in a frame that lets nothing out. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { call } from '../lib/client.ts';
import { size } from '../lib/format.ts';
import { renderMarkdown } from '../lib/markdown.ts';
import { Shown, useLoaded } from './loading.tsx';

const mostText = 1_000_000;

export interface Shape {
  hash: string;
  content_type: string;
  title: string;
  size: number;
}

export function Viewer({ hash, content_type: type, title, size: bytes }: Shape) {
  const content = `/v1/card/${hash}/content`;
  if (bytes === 0) return <p class="hint">This file is empty: it has no bytes.</p>;
  if (type.startsWith('image/')) return <img class="picture" src={content} alt={title} />;
  if (type.startsWith('audio/')) return <audio controls src={content} aria-label={title} />;
  if (type.startsWith('video/')) return <video controls src={content} aria-label={title} />;
  if (type === 'application/pdf') return <iframe class="frame" src={`/v1/card/${hash}/view`} title={title} />;
  if (type === 'text/html') return <iframe class="frame" sandbox="" src={`/v1/card/${hash}/view`} title={title} />;
  if (type.startsWith('text/') || /^application\/(?:json|xml|yaml|toml)$/.test(type))
    return <TextFile hash={hash} type={type} bytes={bytes} />;
  return (
    <div class="notice">
      <p>
        This kind of file ({type}, {size(bytes)}) is not shown here.
      </p>
      <a class="button" href={content} download={title}>
        Download
      </a>
    </div>
  );
}

function TextFile({ hash, type, bytes }: { hash: string; type: string; bytes: number }) {
  const [text, again] = useLoaded(
    async (signal) => (await call(`/v1/card/${hash}/content?as_text=true`, { signal })).text(),
    hash,
  );
  return (
    <Shown of={text} retry={again}>
      {(value) => (
        <>
          {type === 'text/markdown' ? (
            <Markdown text={value.slice(0, mostText)} />
          ) : type === 'application/json' ? (
            <Json text={value} />
          ) : (
            <pre class="text">{value.slice(0, mostText)}</pre>
          )}
          {value.length > mostText && (
            <p class="hint">
              The first {size(mostText)} of {size(bytes)}. Download it to read on.
            </p>
          )}
        </>
      )}
    </Shown>
  );
}

export function Markdown({ text, onTick }: { text: string; onTick?: (index: number) => void }) {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (element.current !== null) renderMarkdown(text, element.current, { canTick: onTick !== undefined });
  }, [text, onTick !== undefined]);
  return (
    <div
      ref={element}
      class="markdown"
      onChange={(event) => {
        const { task } = (event.target as HTMLElement).dataset;
        if (task !== undefined) onTick?.(Number(task));
      }}
    />
  );
}

function Json({ text }: { text: string }) {
  const [isRaw, setRaw] = useState(false);
  let value: unknown;
  try {
    value = text.length > mostText ? undefined : JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (value === undefined || isRaw) return <pre class="text">{text.slice(0, mostText)}</pre>;
  return (
    <>
      <button type="button" class="quiet" onClick={() => setRaw(true)}>
        As it is written
      </button>
      <div class="json">
        <Value value={value} depth={0} />
      </div>
    </>
  );
}

const mostEntries = 200;

function Value({ name, value, depth }: { name?: string; value: unknown; depth: number }) {
  const label = name === undefined ? null : <span class="key">{name}: </span>;
  if (typeof value !== 'object' || value === null)
    return (
      <div class={`value ${value === null ? 'null' : typeof value}`}>
        {label}
        {JSON.stringify(value)}
      </div>
    );
  const entries = Object.entries(value);
  const count = Array.isArray(value) ? `[${entries.length}]` : `{${entries.length}}`;
  return (
    <details open={depth < 2}>
      <summary>
        {label}
        <span class="meta">{count}</span>
      </summary>
      {entries.slice(0, mostEntries).map(([key, inner]) => (
        <Value key={key} name={key} value={inner} depth={depth + 1} />
      ))}
      {entries.length > mostEntries && <div class="meta">… {entries.length - mostEntries} more</div>}
    </details>
  );
}
