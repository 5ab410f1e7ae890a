/** Names for containers that were given none: an adjective and a surname, as Docker's users know them. */
import { randomInt } from 'node:crypto';

const adjectives =
  'admiring agile amazing bold brave bright busy calm charming clever cool crisp curious dazzling eager eloquent festive focused fond friendly gallant gentle happy hopeful jolly keen kind lively loving lucid merry modest nifty noble patient peaceful pensive practical quirky relaxed serene sharp silly sleepy stoic sweet tender upbeat vibrant vigilant wise witty wonderful zealous zen'.split(
    ' ',
  );
const surnames =
  'archimedes babbage banach bardeen bell bohr boyd brahmagupta carson cartwright cerf chandrasekhar clarke colden cori curie darwin diffie dijkstra einstein elgamal euclid euler faraday fermat fermi feynman franklin galileo gauss germain goldberg goodall hamilton hawking hertz hopper hypatia johnson joliot kalam kepler khorana kilby knuth lamarr leakey lovelace lumiere mayer mccarthy mclean meitner mendel mirzakhani morse newton nightingale nobel noether pascal pasteur payne pike poincare ptolemy ramanujan ride ritchie rosalind shannon shaw shockley stallman swartz tesla thompson torvalds turing villani wescoff wiles williams wilson wing wozniak wright yalow yonath'.split(
    ' ',
  );

/** A name that is not taken. */
export function generateName(taken: (name: string) => boolean): string {
  for (let attempt = 0; ; attempt++) {
    const name = `${adjectives[randomInt(adjectives.length)]}_${surnames[randomInt(surnames.length)]}${attempt < 6 ? '' : randomInt(10 ** Math.min(attempt - 5, 6))}`;
    if (!taken(name)) return name;
  }
}
