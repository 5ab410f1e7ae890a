/** Bytes that mean nothing, the same for the same seed, with what parsers look for strewn in. */
import { randomFrom } from './byte-fuzzer.ts';

const words = [
  '\r\n',
  '\n',
  'GET ',
  'HTTP/1.1',
  'Content-Length: 5',
  'Transfer-Encoding: chunked',
  ':',
  '0\r\n\r\n',
  '{"a":',
  '\0\0\0\x04',
  '\x82\x85',
];

export function gatherNoise(seed: number): (length: number) => Buffer {
  const random = randomFrom(seed);
  return (length) => {
    const pieces: Buffer[] = [];
    for (let size = 0; size < length; size += pieces.at(-1)!.length) {
      const piece =
        random(3) === 0
          ? Buffer.from(words[random(words.length)]!, 'latin1')
          : Buffer.from(Array.from({ length: 1 + random(40) }, () => random(256)));
      pieces.push(piece);
    }
    return Buffer.concat(pieces);
  };
}
