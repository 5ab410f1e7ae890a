/** What is typed and not stored yet, kept in this browser: no keystroke is lost when the backend is away, or the page is closed. */

export interface Draft {
  title: string;
  content: string;
  /** The version that it began from; undefined for a new note. */
  base: string | undefined;
  at: number;
}

const key = (id: string): string => `pkc.draft.${id}`;

export function keepDraft(id: string, draft: Draft): void {
  try {
    localStorage.setItem(key(id), JSON.stringify(draft));
  } catch {
    // The browser keeps nothing more; what is typed is still on the page.
  }
}

export function draftOf(id: string): Draft | undefined {
  try {
    const text = localStorage.getItem(key(id));
    return text === null ? undefined : (JSON.parse(text) as Draft);
  } catch {
    return undefined;
  }
}

export function forgetDraft(id: string): void {
  localStorage.removeItem(key(id));
}
