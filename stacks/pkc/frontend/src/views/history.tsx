/** What a document was before: any two versions side by side in one text, and the way back. */
import { diffLines, diffWordsWithSpace } from 'diff';
import { useState } from 'preact/hooks';
import type { Document, Version } from '../../../api.ts';
import { call, getJson } from '../lib/client.ts';
import { exact, size } from '../lib/format.ts';
import { Shown, useLoaded } from '../parts/loading.tsx';

const mostForWords = 20_000;
const most = 400_000;

export function History({ document, onRestore }: { document: Document; onRestore: (hash: string) => void }) {
  const [loaded, again] = useLoaded(
    (signal) => getJson<Version[]>(`/v1/documents/${document.id}/versions`, signal),
    `${document.id} ${document.versions}`,
  );
  const [chosen, choose] = useState<number>();
  return (
    <section class="history" aria-label="History">
      <Shown of={loaded} retry={again}>
        {(versions) => {
          const shown = versions.find(({ number }) => number === (chosen ?? versions[0]?.number)) ?? versions[0]!;
          const before = versions.find(({ number }) => number === shown.number - 1);
          return (
            <>
              <ol class="versions">
                {versions.map((each) => (
                  <li key={each.number}>
                    <button
                      type="button"
                      aria-pressed={each.number === shown.number}
                      onClick={() => choose(each.number)}
                    >
                      <strong>Version {each.number}</strong>
                      <span class="meta">
                        {exact(each.at)} · {each.cause} · {size(each.size)}
                      </span>
                    </button>
                  </li>
                ))}
              </ol>
              <div class="difference">
                <div class="row">
                  <h2>
                    Version {shown.number}
                    {before === undefined ? ', the first' : ` against ${before.number}`}
                  </h2>
                  {shown.number !== versions[0]!.number && (
                    <button type="button" class="primary" onClick={() => onRestore(shown.hash)}>
                      Restore version {shown.number}
                    </button>
                  )}
                </div>
                {document.type === 'note' ? (
                  <Difference before={before?.hash} after={shown.hash} />
                ) : (
                  <code class="hash">{shown.hash}</code>
                )}
              </div>
            </>
          );
        }}
      </Shown>
    </section>
  );
}

function Difference({ before, after }: { before: string | undefined; after: string }) {
  const text = async (hash: string | undefined, signal: AbortSignal): Promise<string> =>
    hash === undefined ? '' : (await call(`/v1/card/${hash}/content?as_text=true`, { signal })).text();
  const [loaded, again] = useLoaded(
    async (signal) => Promise.all([text(before, signal), text(after, signal)]),
    `${before} ${after}`,
  );
  return (
    <Shown of={loaded} retry={again}>
      {([old, now]) => {
        if (old === now)
          return <p class="hint">The text is the same{before === after ? '; the title changed' : ''}.</p>;
        if (old.length + now.length > most) return <p class="hint">These versions are too long to compare here.</p>;
        const parts = old.length + now.length > mostForWords ? diffLines(old, now) : diffWordsWithSpace(old, now);
        return (
          <pre class="text diff">
            {parts.map((part, index) =>
              part.added ? (
                <ins key={index}>{part.value}</ins>
              ) : part.removed ? (
                <del key={index}>{part.value}</del>
              ) : (
                part.value
              ),
            )}
          </pre>
        );
      }}
    </Shown>
  );
}
