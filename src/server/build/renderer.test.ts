import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BuildEvent, BuildFailure, BuildResult, ProgressMessage } from '../../api/index.ts';
import { Fault } from '../../std/index.ts';
import { ClassicRenderer, type ClassicStyle } from './renderer.ts';

const at = '2026-01-01T00:00:00Z';
const ids = { a: `sha256:${'a'.repeat(64)}`, b: `sha256:${'b'.repeat(64)}`, image: `sha256:${'1234'.repeat(16)}` };
const done: BuildResult = { image: ids.image, manifest: undefined, unusedArgs: [], answer: undefined };

function instructions(
  ...list: (string | [text: string, vertex: string] | [string, string | undefined, 'trigger'])[]
): BuildEvent {
  return {
    kind: 'instructions',
    instructions: list.map((each) => {
      const [text, vertex, trigger] = typeof each === 'string' ? [each, undefined] : each;
      return { text, vertex, ...(trigger === undefined ? {} : { isTrigger: true }) };
    }),
  };
}

function vertex(digest: string, more: Partial<Extract<BuildEvent, { kind: 'vertex' }>> = {}): BuildEvent {
  const state = { cached: false, started: at, completed: undefined, error: undefined, source: undefined };
  return { kind: 'vertex', digest, name: digest, inputs: [], ...state, ...more };
}

function completed(digest: string, more: { cached?: boolean; result?: string } = {}): BuildEvent {
  return vertex(digest, { completed: at, ...more });
}

function log(digest: string, text: string | Uint8Array, stream: 'stdout' | 'stderr' = 'stdout'): BuildEvent {
  return { kind: 'log', vertex: digest, stream, data: Buffer.from(text), timestamp: at };
}

class Told {
  readonly renderer: ClassicRenderer;

  constructor(style: Partial<ClassicStyle> = {}) {
    this.renderer = new ClassicRenderer({ removes: 'on-success', tags: [], labels: new Map(), aux: true, ...style });
  }

  /** The streams that an event brings, as one text. */
  tell(...events: BuildEvent[]): string {
    return textOf(events.flatMap((event) => this.renderer.tell(event)));
  }

  finish(result: Partial<BuildResult> = {}): string {
    return textOf(this.renderer.finish({ ...done, ...result }));
  }
}

function textOf(messages: readonly ProgressMessage[]): string {
  return messages.map((message) => message.stream ?? `${JSON.stringify(message)}\n`).join('');
}

test('a build from its first step to its name', () => {
  const told = new Told({ tags: ['x:1', 'y:latest'] });
  assert.equal(told.tell(vertex('elsewhere'), log('elsewhere', 'not of a step')), '');
  assert.equal(
    told.tell(instructions(['FROM busybox', 'v1'], ['RUN echo hi', 'v2'], 'CMD ["sh"]')),
    'Step 1/3 : FROM busybox\n',
  );
  assert.equal(
    told.tell(vertex('v1'), completed('v1', { result: ids.a })),
    ' ---> aaaaaaaaaaaa\nStep 2/3 : RUN echo hi\n',
  );
  assert.equal(told.tell(vertex('v2')), '');
  assert.equal(told.tell(log('v2', 'hi\n')), ' ---> Running in v2\nhi\n');
  assert.equal(told.tell(log('v2', 'oh\n', 'stderr')), '\u001b[91moh\n\u001b[0m');
  assert.equal(
    told.tell(completed('v2', { result: ids.b })),
    ' ---> Removed intermediate container v2\n ---> bbbbbbbbbbbb\nStep 3/3 : CMD ["sh"]\n',
  );
  assert.equal(
    told.finish(),
    ` ---> 123412341234\n{"aux":{"ID":"${ids.image}"}}\nSuccessfully built 123412341234\nSuccessfully tagged x:1\nSuccessfully tagged y:latest\n`,
  );
});

test('headlines and their line ends are messages of their own', () => {
  const messages = new Told().renderer.tell(instructions(['FROM busybox', 'v1']));
  assert.deepEqual(messages, [{ stream: 'Step 1/1 : FROM busybox' }, { stream: '\n' }]);
});

test('what is done before its turn is told in its turn', () => {
  const told = new Told();
  told.tell(instructions(['FROM a', 'v1'], ['RUN slow', 'v2'], ['FROM a', 'v1'], ['RUN quick', 'v3']));
  told.tell(completed('v1', { result: ids.a }), vertex('v2'), vertex('v3'));
  assert.equal(told.tell(log('v3', 'quick\n')), '');
  assert.equal(told.tell(completed('v3', { result: ids.b })), '');
  assert.equal(told.tell(log('v2', 'slow\n')), ' ---> Running in v2\nslow\n');
  assert.equal(
    told.tell(completed('v2')).replace(/(?<=> )[0-9a-f]{12}$/gm, '…'),
    [
      ' ---> Removed intermediate container v2',
      ' ---> …',
      'Step 3/4 : FROM a',
      ' ---> …',
      'Step 4/4 : RUN quick',
      ' ---> Running in v3',
      'quick',
      ' ---> Removed intermediate container v3',
      '',
    ].join('\n'),
  );
});

test('cached steps, and what follows them', () => {
  const told = new Told();
  const rest = ['RUN a', 'v2'] as [string, string];
  told.tell(instructions(['FROM a', 'v1'], 'ENV x=1', rest, 'ENV y=1', ['COPY . .', 'v3'], 'ENV z=1', 'USER u'));
  assert.match(told.tell(completed('v1')), /^ ---> \w{12}\nStep 2\/7 : ENV x=1\n ---> \w{12}\nStep 3\/7 : RUN a\n$/);
  assert.match(
    told.tell(vertex('v2'), completed('v2', { cached: true })),
    /^ ---> Using cache\n ---> \w{12}\nStep 4\/7 : ENV y=1\n ---> Using cache\n ---> \w{12}\nStep 5\/7 : COPY \. \.\n$/,
  );
  assert.match(told.tell(completed('v3')), /^ ---> \w{12}\nStep 6\/7 : ENV z=1\n ---> \w{12}\nStep 7\/7 : USER u\n$/);
});

test('ids: the same for the same text on the same base', () => {
  const idsOf = (base: string, text: string): string[] => {
    const told = new Told();
    const output = told.tell(instructions(['FROM a', 'v1'], text, 'CMD x'), completed('v1', { result: base }));
    return [...output.matchAll(/---> (\w{12})\n/g)].map((match) => match[1]!);
  };
  const [, first] = idsOf(ids.a, 'ENV x=1');
  assert.deepEqual(idsOf(ids.a, 'ENV x=1'), ['aaaaaaaaaaaa', first]);
  assert.notEqual(idsOf(ids.b, 'ENV x=1')[1], first);
  assert.notEqual(idsOf(ids.a, 'ENV x=2')[1], first);
});

test('stages: from nothing, from another', () => {
  const told = new Told();
  const output =
    told.tell(
      instructions(
        ['FROM a AS One', 'v1'],
        'ENV x=1',
        'FROM scratch',
        ['COPY --from=one / /', 'v2'],
        'FROM one',
        'ENV y',
      ),
      completed('v1', { result: ids.a }),
      completed('v2', { result: ids.b }),
    ) + told.finish();
  const [, afterEnv] = [...output.matchAll(/---> (\w{12})\n/g)].map((match) => match[1]!);
  assert.match(output, /FROM scratch\n ---> \nStep 4/);
  assert.match(output, new RegExp(`Step 5/6 : FROM one\n ---> ${afterEnv}\n`));
});

test('triggers of the image have no number', () => {
  const told = new Told();
  const run = ['RUN echo t', 'v2', 'trigger'] as [string, string, 'trigger'];
  assert.equal(
    told.tell(instructions(['FROM onb', 'v1'], run, ['ENV X=1', undefined, 'trigger'], 'CMD x')),
    'Step 1/2 : FROM onb\n# Executing 2 build triggers\n',
  );
  assert.equal(told.tell(completed('v1', { result: ids.a })), '');
  assert.match(
    told.tell(log('v2', 't\n'), completed('v2')),
    /^ ---> Running in v2\nt\n ---> Removed intermediate container v2\n ---> \w{12}\nStep 2\/2 : CMD x\n$/,
  );
});

test('labels from outside are steps', () => {
  const told = new Told({
    labels: new Map([
      ['k', 'a b'],
      ['l', '1'],
    ]),
  });
  const output = told.tell(instructions('FROM scratch')) + told.finish();
  assert.match(
    output,
    /^Step 1\/3 : FROM scratch\n ---> \nStep 2\/3 : LABEL k=a b\n ---> \w{12}\nStep 3\/3 : LABEL l=1\n/,
  );
});

test('containers that stay, arguments nobody wanted, clients without aux', () => {
  const told = new Told({ removes: 'never', aux: false });
  const output = told.tell(instructions('FROM scratch', ['RUN x', 'v2']), completed('v2'));
  assert.match(output, / ---> Running in v2\n$/);
  assert.equal(
    told.finish({ unusedArgs: ['X', 'Y'] }),
    ' ---> 123412341234\n[Warning] One or more build-args [X Y] were not consumed\nSuccessfully built 123412341234\n',
  );
});

test('characters that are cut in two', () => {
  const told = new Told();
  told.tell(instructions(['RUN x', 'v1']));
  const euro = Buffer.from('€');
  assert.equal(told.tell(log('v1', euro.subarray(0, 2))), '');
  assert.equal(told.tell(log('v1', 'E', 'stderr')), ' ---> Running in v1\n\u001b[91mE\u001b[0m');
  assert.equal(told.tell(log('v1', euro.subarray(2))), '€');
  told.tell(log('v1', euro.subarray(0, 1)));
  assert.match(told.tell(completed('v1')), /^\uFFFD/);
});

function fault(vertexDigest: string | undefined, exitCode?: number): Fault {
  const message =
    exitCode === undefined ? 'broken' : `process "x" did not complete successfully: exit code: ${exitCode}`;
  const cause: BuildFailure = { message, source: undefined, text: undefined, exitCode, vertex: vertexDigest };
  return new Fault('invalid', message, { cause });
}

test('a step that fails in its turn', () => {
  const told = new Told();
  told.tell(instructions('FROM scratch', ['RUN x', 'v2']), vertex('v2'));
  told.tell(vertex('v2', { completed: at, error: 'exit code: 7' }));
  const message = "The command 'x' returned a non-zero code: 7";
  assert.deepEqual(told.renderer.fail(fault('v2', 7)), [
    { stream: ' ---> Running in v2\n' },
    { errorDetail: { code: 7, message }, error: message },
  ]);
});

test('a step that fails before its turn: it is told, then why', () => {
  const told = new Told({ removes: 'always' });
  told.tell(instructions('FROM scratch', ['RUN slow', 'v2'], ['RUN x', 'v3']), vertex('v2'), vertex('v3'));
  assert.equal(told.tell(log('v3', 'last words\n')), '');
  assert.equal(
    textOf(told.renderer.fail(fault('v3', 1))),
    'Step 3/3 : RUN x\n ---> Running in v3\nlast words\n ---> Removed intermediate container v3\n{"errorDetail":{"code":1,"message":"The command \'x\' returned a non-zero code: 1"},"error":"The command \'x\' returned a non-zero code: 1"}\n',
  );
});

test('errors of no step', () => {
  assert.deepEqual(new Told().renderer.fail(fault(undefined)), [
    { errorDetail: { message: 'broken' }, error: 'broken' },
  ]);
  assert.deepEqual(new Told().renderer.fail(new Error('plain')), [
    { errorDetail: { message: 'plain' }, error: 'plain' },
  ]);
});

test('progress of a pull, before any step; of nothing else', () => {
  const told = new Told();
  const status = (id: string, current: number, of: string): BuildEvent => {
    const times = { timestamp: at, started: at, completed: undefined };
    return { kind: 'status', vertex: of, id, name: id, current, total: current * 2, ...times };
  };
  told.tell(vertex('v1', { name: '[internal] load metadata for docker.io/library/a:1' }), vertex('v2'));
  assert.deepEqual(told.renderer.tell(status('downloading f7c8a1ccfffc', 5, 'v1')), [
    { status: 'Downloading', progressDetail: { current: 5, total: 10 }, id: 'f7c8a1ccfffc' },
  ]);
  assert.deepEqual(told.renderer.tell(status('pulling from library/a 1', 0, 'v1')), [
    { status: 'Pulling from library/a', progressDetail: {}, id: '1' },
  ]);
  assert.deepEqual(told.renderer.tell(status('transferring context:', 5, 'v2')), []);
});

test('output of later steps is held in bounded memory', () => {
  const told = new Told();
  told.tell(instructions(['RUN slow', 'v1'], ['RUN loud', 'v2']));
  const line = `${'x'.repeat(999)}\n`;
  for (let count = 0; count < 5000; count++) told.tell(log('v2', line));
  told.tell(completed('v2'));
  const output = told.tell(completed('v1'));
  assert.ok(output.length < 1_200_000, `${output.length} characters`);
  assert.match(output, /is not shown/);
});
