/** The words of an expansion: spaces part them, but not those that were quoted or escaped. */
import { isSpace } from '../text/characters.ts';

export interface ExpandedWord {
  readonly text: string;
  /** Indexes into what was expanded. */
  readonly start: number;
  readonly end: number;
}

export class WordCollector {
  readonly #words: ExpandedWord[] = [];
  #text = '';
  #inWord = false;
  #start = 0;
  #end = 0;

  /** Text of which spaces part words; it stands at `start` to `end`. */
  addText(text: string, start: number, end: number): void {
    for (const character of text) {
      if (!isSpace(character)) this.addRaw(character, start, end);
      else if (this.#inWord && this.#text !== '') this.#finish();
    }
  }

  /** Text that belongs to the word whatever it is. */
  addRaw(text: string, start: number, end: number): void {
    if (!this.#inWord) this.#start = start;
    this.#inWord = true;
    this.#text += text;
    this.#end = end;
  }

  end(): readonly ExpandedWord[] {
    if (this.#text !== '') this.#finish();
    return this.#words;
  }

  #finish(): void {
    this.#words.push({ text: this.#text, start: this.#start, end: this.#end });
    this.#text = '';
    this.#inWord = false;
  }
}
