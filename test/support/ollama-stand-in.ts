/**
 * A stand-in for Ollama, for tests: its API with an echo for a model. Not Ollama, and no language model. It answers with the first words
 * of the passages that it was given, and can be told to be slow, to die in the middle, or to have no models.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface StandIn extends AsyncDisposable {
  port: number;
  /** How the next answers go. */
  mode: 'well' | 'dies' | 'silent' | 'no model';
  /** Bodies of /api/chat, in order. */
  asked: { model: string; messages: { role: string; content: string }[] }[];
  /** Answers whose client went before the end. */
  abandoned: number;
}

/** On every address, so that containers reach it. */
export async function startOllamaStandIn(): Promise<StandIn> {
  const server = createServer((request, response) => void answer(standIn, request, response));
  const standIn: StandIn = {
    port: 0,
    mode: 'well',
    asked: [],
    abandoned: 0,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
  await new Promise<void>((done) => server.listen(0, '0.0.0.0', done));
  standIn.port = (server.address() as AddressInfo).port;
  return standIn;
}

async function answer(standIn: StandIn, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = (chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString())) as {
    model?: string;
    messages?: { role: string; content: string }[];
    input?: string[];
  };
  const json = (status: number, value: object): void => {
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(value));
  };
  const line = (value: object): void => void response.write(`${JSON.stringify(value)}\n`);
  switch (request.url) {
    case '/api/version':
      return json(200, { version: '0.0.0-stand-in' });
    case '/api/tags':
      return json(200, {
        models:
          standIn.mode === 'no model'
            ? []
            : [
                { name: 'echo:1b', size: 1e9 },
                { name: 'nomic-embed-text:latest', size: 3e8 },
              ],
      });
    case '/api/embed':
      return json(200, { embeddings: (body.input ?? []).map(letters) });
    case '/api/pull':
      for (let completed = 0; completed <= 3; completed++) {
        line({ status: 'pulling layer', completed, total: 3 });
        await sleep(20);
      }
      response.end(`${JSON.stringify({ status: 'success' })}\n`);
      return undefined;
    case '/api/chat':
      standIn.asked.push({ model: body.model ?? '', messages: body.messages ?? [] });
      return chat(standIn, body, response, { json, line });
    default:
      return json(404, { error: 'not found' });
  }
}

async function chat(
  standIn: StandIn,
  { model, messages = [] }: { model?: string; messages?: { role: string; content: string }[] },
  response: ServerResponse,
  { json, line }: { json: (status: number, value: object) => void; line: (value: object) => void },
): Promise<void> {
  if (model !== 'echo:1b') return json(404, { error: `model '${model}' not found` });
  let isEnded = false;
  response.once('close', () => {
    if (!isEnded) standIn.abandoned++;
  });
  if (standIn.mode === 'silent') return undefined;
  const passage = /^\[1\] [^\n]*\n([^\n]*)/m.exec(messages[0]?.content ?? '')?.[1] ?? 'nothing';
  const words = `From [1]: ${passage}`.split(' ');
  for (const [index, word] of words.entries()) {
    line({ message: { role: 'assistant', content: `${index === 0 ? '' : ' '}${word}` }, done: false });
    if (standIn.mode === 'dies' && index === 2) {
      isEnded = true;
      response.destroy();
      return undefined;
    }
    await sleep(5);
  }
  isEnded = true;
  response.end(`${JSON.stringify({ message: { role: 'assistant', content: '' }, done: true })}\n`);
  return undefined;
}

/** An embedding of sorts: how often each letter is there. */
function letters(text: string): number[] {
  const counts = Array.from({ length: 26 }, () => 0.01);
  for (const letter of text.toLowerCase()) {
    const index = letter.charCodeAt(0) - 97;
    if (index >= 0 && index < 26) counts[index]!++;
  }
  return counts;
}
