/** Words of a question, and where they are in a text. Pure. */

const common = new Set(
  `a an and are as at be but by can could did do does for from had has have he her his how i if in into is it its me my no not of on or our she so than that the their them then there these they this to up us was we were what when where which who why will with would you your
  aber alle als am an auch auf aus bei bin bis da das dass dein dem den der des die dir doch du ein eine einem einen einer es für hat habe ich ihr im in ist ja kann mein mich mir mit nach nicht noch nur oder sein sich sie sind so über um und uns vom von vor war was wie wir wo zu zum zur`.split(
    /\s+/,
  ),
);

/** In lower case, each once, without those that everything has. Where nothing else is left, those too. */
export function wordsOf(question: string): string[] {
  const all = [...new Set((question.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).slice(0, 64))];
  const telling = all.filter((word) => !common.has(word) && word.length > 1);
  return telling.length > 0 ? telling : all;
}

/** Markdown as it is read: without the marks, in one line. */
export function plainText(markdown: string): string {
  return markdown
    .replace(
      /^ {0,3}(?:`{3,}|~{3,}).*$|^ {0,3}#{1,6} |^ {0,3}>+ ?|^\s*[-*+] (?:\[[ xX]\] )?|^(?=[^\n]*-)[ |:-]+$/gm,
      ' ',
    )
    .replace(/!?\[([^\]\n]{0,300})\]\([^)\n]{0,2000}\)/g, '$1')
    .replace(/\[\[(?:[^\][|\n]{0,200}\|)?([^\]\n]{0,200})\]\]/g, '$1')
    .replace(/\*\*|__|`|\|/g, ' ');
}

export interface Piece {
  text: string;
  found: boolean;
}

/** A few words around the first match, with all matches in them marked; a word matches what begins with it. */
export function excerptOf(text: string, words: readonly string[], length = 180): Piece[] {
  if (words.length === 0) return [];
  const flat = text.slice(0, 200_000).replace(/\s+/g, ' ').trim();
  const pattern = new RegExp(
    `(?<![\\p{L}\\p{N}])(?:${words.map((word) => RegExp.escape(word)).join('|')})[\\p{L}\\p{N}]*`,
    'giu',
  );
  const first = flat.search(pattern);
  const begin = first < length / 3 ? 0 : flat.indexOf(' ', first - Math.floor(length / 3)) + 1;
  const window = flat.slice(begin, begin + length).toWellFormed();
  const pieces: Piece[] = [];
  let at = 0;
  for (const match of window.matchAll(pattern)) {
    if (match.index > at) pieces.push({ text: window.slice(at, match.index), found: false });
    pieces.push({ text: match[0], found: true });
    at = match.index + match[0].length;
  }
  if (at < window.length) pieces.push({ text: window.slice(at), found: false });
  if (begin > 0 && pieces.length > 0) pieces.unshift({ text: '… ', found: false });
  if (begin + length < flat.length) pieces.push({ text: ' …', found: false });
  return pieces;
}

/** How well a passage answers, by the share of the telling words it has, rare ones more. @param weights by word */
export function coverage(passage: string, weights: ReadonlyMap<string, number>): number {
  const has = new Set(passage.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []);
  let [sum, reached] = [0, 0];
  for (const [word, weight] of weights) {
    sum += weight;
    if (has.has(word)) reached += weight;
    else if (
      word.length > 3 &&
      [...has].some((each) => each.startsWith(word.slice(0, -1)) && each.length <= word.length + 3)
    )
      reached += weight * 0.7;
  }
  return sum === 0 ? 0 : reached / sum;
}
