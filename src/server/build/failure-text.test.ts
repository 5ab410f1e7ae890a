import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BuildFailure } from '../../api/index.ts';
import { Fault } from '../../std/index.ts';
import { failureFault, failureText } from './failure-text.ts';

const source = { file: 'Dockerfile', start: { line: 3, column: 1 }, end: { line: 3, column: 9 } };

function fault(message: string, more: Partial<BuildFailure> = {}): Fault {
  const cause: BuildFailure = { message, source, text: '', exitCode: undefined, vertex: undefined, ...more };
  return new Fault('invalid', message, { cause });
}

function process(command: string, exitCode: number, why = ''): Fault {
  const message = `process ${JSON.stringify(command)} did not complete successfully: exit code: ${exitCode}${why}`;
  return fault(message, { exitCode });
}

test('commands', () => {
  assert.equal(
    failureText(process('/bin/sh -c exit 7', 7)),
    "The command '/bin/sh -c exit 7' returned a non-zero code: 7",
  );
  assert.equal(
    failureText(process('/bin/sh -c echo "a\tb" \\\n  && false', 1)),
    'The command \'/bin/sh -c echo "a\tb" \\\n  && false\' returned a non-zero code: 1',
  );
  assert.equal(
    failureText(process('nosuch', 127, ': exec: "nosuch": executable file not found in $PATH')),
    'The command \'nosuch\' returned a non-zero code: 127: exec: "nosuch": executable file not found in $PATH',
  );
});

test('files that are not there', () => {
  const missing = fault('failed to compute cache key: failed to calculate checksum of ref: "/d/nosuch": not found');
  assert.equal(
    failureText(missing, 'COPY d/nosuch /x'),
    'COPY failed: file not found in build context or excluded by .dockerignore: stat d/nosuch: file does not exist',
  );
  assert.equal(failureText(missing, 'copy --from=x d/nosuch /x'), 'COPY failed: stat d/nosuch: file does not exist');
  assert.match(failureText(missing, 'RUN --mount=type=bind,source=d/nosuch x'), /^Dockerfile:3: failed to compute/);
});

test('other errors are told with their place, which those of the parser have', () => {
  assert.equal(failureText(fault('something')), 'Dockerfile:3: something');
  assert.equal(failureText(fault('something', { source: undefined })), 'something');
  const parse = 'dockerfile parse error on line 2: unknown instruction: BOGUS';
  assert.equal(failureText(fault(parse)), parse);
  assert.equal(failureText(new Error('plain')), 'plain');
});

test('no Dockerfile', () => {
  const message = 'failed to read dockerfile: open a b/Other: no such file or directory';
  for (const error of [new Fault('not-found', message), fault(message)]) {
    assert.equal(failureText(error), 'Cannot locate specified Dockerfile: a b/Other');
    const told = failureFault(error) as Fault;
    assert.deepEqual([told.kind, told.message], ['invalid', 'Cannot locate specified Dockerfile: a b/Other']);
  }
});

test('an error that needs no other words stays itself', () => {
  const error = new Fault('not-found', 'no such image');
  assert.equal(failureFault(error), error);
});
