/** Questions to one's own notes: the passages that fit, and an answer in prose where a model is there. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { AskEvent, Citation, Models, PullProgress } from '../../../api.ts';
import { getJson, lines } from '../lib/client.ts';
import { size } from '../lib/format.ts';
import { Shown, useLoaded } from '../parts/loading.tsx';
import { Markdown } from '../parts/viewer.tsx';

interface Turn {
  question: string;
  answer: string;
  model: string | undefined;
  citations: readonly Citation[];
  note: string | undefined;
  isOpen: boolean;
}

export function AskView() {
  const [turns, setTurns] = useState<readonly Turn[]>([]);
  const [question, setQuestion] = useState('');
  const [model, setModel] = useState('');
  const [models, again] = useLoaded((signal) => getJson<Models>('/v1/models', signal), '');
  const stop = useRef<AbortController>();
  const end = useRef<HTMLDivElement>(null);
  const isBusy = turns.at(-1)?.isOpen === true;

  useEffect(() => () => stop.current?.abort(), []);
  const update = (change: (turn: Turn) => Turn): void => setTurns((all) => [...all.slice(0, -1), change(all.at(-1)!)]);

  const ask = async (): Promise<void> => {
    const text = question.trim();
    if (text === '' || isBusy) return;
    const history = turns.flatMap((turn) =>
      turn.answer === ''
        ? []
        : [
            { role: 'user', content: turn.question },
            { role: 'assistant', content: turn.answer },
          ],
    );
    setTurns((all) => [
      ...all,
      { question: text, answer: '', model: undefined, citations: [], note: undefined, isOpen: true },
    ]);
    setQuestion('');
    stop.current = new AbortController();
    try {
      for await (const event of lines<AskEvent>(
        '/v1/ask',
        { question: text, history, ...(model === '' ? {} : { model }) },
        stop.current.signal,
      )) {
        if (event.type === 'citations') update((turn) => ({ ...turn, citations: event.citations }));
        else if (event.type === 'model') update((turn) => ({ ...turn, model: event.name }));
        else if (event.type === 'token') update((turn) => ({ ...turn, answer: turn.answer + event.text }));
        else if (event.type === 'no_model')
          update((turn) => ({ ...turn, note: 'Nobody answers in prose. These passages fit:' }));
        else if (event.type === 'error') update((turn) => ({ ...turn, note: event.message }));
        end.current?.scrollIntoView({ block: 'end' });
      }
    } catch (error) {
      const note = stop.current.signal.aborted ? 'Stopped.' : (error as Error).message;
      update((turn) => ({ ...turn, note }));
    }
    update((turn) => ({ ...turn, isOpen: false }));
  };

  return (
    <section class="ask" aria-label="Ask">
      <header>
        <h1>Ask your notes</h1>
        <Shown of={models} retry={again}>
          {(known) => <ModelsBar known={known} model={model} onModel={setModel} onPulled={again} />}
        </Shown>
      </header>
      <div class="turns" aria-live="polite">
        {turns.length === 0 && (
          <p class="hint">
            What is asked here is looked up in your own cards, on this machine. Each answer names the cards that it
            stands on.
          </p>
        )}
        {turns.map((turn, index) => (
          <article key={index} class="turn">
            <p class="question">{turn.question}</p>
            {turn.answer !== '' && <Markdown text={turn.answer} />}
            {turn.isOpen && turn.answer === '' && turn.model !== undefined && (
              <p class="hint">{turn.model} is thinking…</p>
            )}
            {turn.note !== undefined && (
              <div class="notice" role="status">
                {turn.note}
              </div>
            )}
            {turn.citations.length > 0 && (
              <ol class="citations" aria-label="Sources">
                {turn.citations.map((citation, place) => (
                  <li key={place}>
                    <a href={citation.document_id === null ? `/c/${citation.hash}` : `/d/${citation.document_id}`}>
                      <span class="chip">{place + 1}</span>
                      <strong>{citation.title}</strong>
                      {citation.section !== '' && citation.section !== citation.title && (
                        <span class="meta"> {citation.section}</span>
                      )}
                      <span class="excerpt">{citation.content.slice(0, 240)}</span>
                    </a>
                  </li>
                ))}
              </ol>
            )}
            {!turn.isOpen && turn.citations.length === 0 && <p class="hint">No card has the words of this question.</p>}
          </article>
        ))}
        <div ref={end} />
      </div>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          void ask();
        }}
      >
        <input
          aria-label="Question"
          placeholder="Ask something"
          value={question}
          onInput={(event) => setQuestion(event.currentTarget.value)}
        />
        {isBusy ? (
          <button type="button" onClick={() => stop.current?.abort()}>
            Stop
          </button>
        ) : (
          <button type="submit" class="primary" disabled={question.trim() === ''}>
            Ask
          </button>
        )}
      </form>
    </section>
  );
}

function ModelsBar({
  known,
  model,
  onModel,
  onPulled,
}: {
  known: Models;
  model: string;
  onModel: (name: string) => void;
  onPulled: () => void;
}) {
  const [name, setName] = useState('qwen3:0.6b');
  const [progress, setProgress] = useState<PullProgress>();
  if (!known.available) return <div class="notice">{known.message}</div>;
  const pull = async (): Promise<void> => {
    setProgress({ type: 'progress', status: 'beginning', completed: null, total: null });
    try {
      for await (const line of lines<PullProgress>('/v1/models/pull', { name }, new AbortController().signal))
        setProgress(line);
    } catch (error) {
      setProgress({ type: 'error', message: (error as Error).message });
    }
    onPulled();
  };
  return (
    <details class="models" open={known.chat_model === null}>
      <summary>
        {known.chat_model === null ? known.message : `Answers come from ${model === '' ? known.chat_model : model}`}
      </summary>
      <div class="row">
        <label>
          Model{' '}
          <select value={model} onChange={(event) => onModel(event.currentTarget.value)}>
            <option value="">{known.chat_model === null ? 'none yet' : `${known.chat_model} (as set)`}</option>
            {known.models
              .filter(({ embedding }) => !embedding)
              .map((each) => (
                <option key={each.name} value={each.name}>
                  {each.name} ({size(each.size)})
                </option>
              ))}
          </select>
        </label>
        <label>
          Get another{' '}
          <input value={name} aria-label="Model to pull" onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        <button type="button" disabled={progress?.type === 'progress'} onClick={() => void pull()}>
          Pull
        </button>
      </div>
      {progress?.type === 'progress' && (
        <p role="status">
          {progress.status}{' '}
          {progress.total !== null && (
            <progress value={progress.completed ?? 0} max={progress.total} aria-label={name} />
          )}
        </p>
      )}
      {progress?.type === 'done' && <p role="status">{name} is here.</p>}
      {progress?.type === 'error' && (
        <div class="notice" role="alert">
          {progress.message}
        </div>
      )}
    </details>
  );
}
