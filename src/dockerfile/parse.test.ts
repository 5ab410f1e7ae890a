import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parse, parseOrThrow, type Dockerfile } from './parse.ts';
import { DockerfileFault } from './source/problem.ts';
import { contains, type Range } from './source/range.ts';

/** Pieces that make Dockerfiles worth reading, joined at random. */
const piece = fc.oneof(
  fc.constantFrom(
    'FROM x AS y\n',
    'RUN --mount=type=cache,target=/c a \\\n',
    '# escape=`\n',
    'COPY <<EOF <<-"B" /x\n',
    'EOF\n',
    '\tB\n',
    'ENV a=b "c d"=\'e\' f=${g:-h}\n',
    'ONBUILD RUN <<X\nq\nX\n',
    'CMD ["a", "b"]\r\n',
    'HEALTHCHECK --interval=1s CMD x\n',
    '\\\n',
    '\n',
    '   # c\n',
    '\ufeff',
    '--flag="a b" ',
    'EXPOSE 80\n',
    'LABEL a\n',
  ),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({ maxLength: 12 }),
);
const anything = fc.oneof(
  fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
  fc.string({ unit: 'binary' }),
);

test('parse never throws and always ends, on any text and any bytes', () => {
  fc.assert(
    fc.property(anything, (text) => void parse(text)),
    { numRuns: 1500 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void parse(bytes)),
    { numRuns: 500 },
  );
});

test('places lie within their instruction, instructions do not overlap, problems lie within the file', () => {
  fc.assert(
    fc.property(anything, (text) => {
      const file = parse(Buffer.from(text));
      checkPlaces(file, Buffer.byteLength(text));
    }),
    { numRuns: 1500 },
  );
});

test('places cut the words out of the bytes, whatever bytes stand before them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), (noise) => {
      const comment = Buffer.from(noise.filter((byte) => byte !== 0x0a));
      const bytes = Buffer.concat([Buffer.from('# '), comment, Buffer.from('\nFROM scratch\nWORKDIR /ü\n')]);
      const [from, workdir] = parse(bytes).instructions;
      assert.ok(from?.kind === 'FROM' && workdir?.kind === 'WORKDIR');
      const cut = ({ start, end }: Range): string => bytes.subarray(start.offset, end.offset).toString();
      assert.equal(cut(from.image.range), 'scratch');
      assert.equal(cut(workdir.path.range), '/ü');
      assert.equal(cut(workdir.range), 'WORKDIR /ü');
    }),
  );
});

test('a text and its bytes are the same file', () => {
  fc.assert(
    fc.property(
      anything.filter((text) => text.isWellFormed()),
      (text) => {
        const strip = (file: Dockerfile): unknown => ({
          instructions: file.instructions.map(({ range, kind }) => [kind, range]),
          problems: file.problems,
        });
        assert.deepEqual(strip(parse(text)), strip(parse(Buffer.from(text))));
      },
    ),
  );
});

test('parseOrThrow tells the first problem, and all of them in its report', () => {
  const text = 'FROM x\nBOGUS\nUSER\n';
  assert.throws(
    () => parseOrThrow(text, { name: 'build/Dockerfile' }),
    (error) => {
      assert.ok(error instanceof DockerfileFault);
      assert.equal(error.kind, 'invalid');
      assert.equal(error.message, 'dockerfile parse error on line 2: unknown instruction: BOGUS');
      assert.equal(error.problems.length, 2);
      const report = error.report();
      assert.match(report, /^build\/Dockerfile:2:1: dockerfile parse error on line 2/);
      assert.match(
        report,
        /build\/Dockerfile:3:1: dockerfile parse error on line 3: USER requires exactly one argument/,
      );
      return true;
    },
  );
  assert.equal(parseOrThrow('FROM x\n').stages.length, 1);
});

test('a very long line and very many lines are read in one go', () => {
  const long = parse(`FROM x\nENV ${'a=b '.repeat(16_000)}\n`);
  assert.equal(long.problems.length, 0);
  const many = parse(`FROM x\nRUN a \\\n${' && b \\\n'.repeat(20_000)} c\n`);
  assert.equal(many.instructions.length, 2);
});

function checkPlaces(file: Dockerfile, length: number): void {
  let end = 0;
  for (const instruction of file.instructions) {
    assert.ok(instruction.range.start.offset >= end, `${instruction.kind} begins before the one before it ends`);
    end = instruction.range.end.offset;
    assert.ok(end <= length);
    for (const range of rangesIn(instruction)) {
      assert.ok(contains(instruction.range, range), `${instruction.kind} does not hold ${JSON.stringify(range)}`);
      assert.ok(range.start.offset <= range.end.offset);
    }
  }
  for (const { range } of file.problems) if (range !== undefined) assert.ok(range.end.offset <= length);
}

function rangesIn(value: unknown): Range[] {
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return value.flatMap(rangesIn);
  return Object.entries(value).flatMap(([key, one]) => {
    if (key === 'valueFragment') return [];
    return /range$/i.test(key) ? [one as Range] : rangesIn(one);
  });
}
