/** Markdown to what may be shown: links between documents, tasks, and nothing that runs or comes from elsewhere. */
import DOMPurify from 'dompurify';
import { Marked, type TokenizerAndRendererExtension } from 'marked';

const wikiLink: TokenizerAndRendererExtension = {
  name: 'wikiLink',
  level: 'inline',
  start: (source) => source.indexOf('[['),
  tokenizer: (source) => {
    const match = /^\[\[([^\][|\n]{1,200})(?:\|([^\]\n]{1,200}))?\]\]/.exec(source);
    if (match === null) return undefined;
    return { type: 'wikiLink', raw: match[0], title: match[1]!.trim(), text: (match[2] ?? match[1])!.trim() };
  },
  renderer: (token) =>
    `<a href="/n/${encodeURIComponent(token['title'] as string)}" class="wiki">${escaped(token['text'] as string)}</a>`,
};

const marked = new Marked({ gfm: true, breaks: false, extensions: [wikiLink] as never });
marked.use({ extensions: [wikiLink] });

/** @param element is filled; it holds nothing but what was cleaned */
export function renderMarkdown(text: string, element: HTMLElement, options: { canTick: boolean }): void {
  const html = marked.parse(text, { async: false });
  const clean = DOMPurify.sanitize(html, {
    RETURN_DOM_FRAGMENT: true,
    FORBID_TAGS: [
      'style',
      'form',
      'button',
      'textarea',
      'select',
      'iframe',
      'object',
      'embed',
      'svg',
      'math',
      'video',
      'audio',
      'source',
    ],
    FORBID_ATTR: ['style', 'class', 'id', 'name', 'srcset'],
    ADD_ATTR: ['checked'],
    ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|card:|\/|#|[^a-z]|[a-z+.-]+(?:[^a-z+.:-]|$))/i,
  });
  let task = 0;
  for (const input of clean.querySelectorAll('input')) {
    if (input.type !== 'checkbox') {
      input.remove();
      continue;
    }
    input.disabled = !options.canTick;
    input.dataset['task'] = String(task++);
    input.setAttribute('aria-label', input.parentElement?.textContent?.trim().slice(0, 80) || 'task');
  }
  for (const image of clean.querySelectorAll('img')) keepHome(image);
  for (const link of clean.querySelectorAll('a')) settle(link);
  element.replaceChildren(clean);
}

/** An image of elsewhere would tell elsewhere that it is read: it is shown as a link. */
function keepHome(image: HTMLImageElement): void {
  const source = cardPath(image.getAttribute('src') ?? '', 'content');
  if (source !== undefined) {
    image.src = source;
    image.loading = 'lazy';
    return;
  }
  const link = document.createElement('a');
  link.href = image.getAttribute('src') ?? '#';
  link.textContent = `image: ${image.alt || link.href}`;
  image.replaceWith(link);
}

function settle(link: HTMLAnchorElement): void {
  const target = link.getAttribute('href') ?? '';
  const card = cardPath(target, 'page');
  if (card !== undefined) link.setAttribute('href', card);
  if (/^https?:/i.test(target)) {
    link.target = '_blank';
    link.rel = 'noopener noreferrer nofollow';
    link.className = 'outside';
  } else if (target.startsWith('/n/')) link.className = 'wiki';
}

function cardPath(target: string, as: 'content' | 'page'): string | undefined {
  const hash = /^(?:card:|\/c\/|\/v1\/card\/)([\da-f]{64})(?:\/(?:content|view))?$/i.exec(target)?.[1]?.toLowerCase();
  if (hash === undefined) return undefined;
  return as === 'content' ? `/v1/card/${hash}/content` : `/c/${hash}`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (each) => `&#${each.charCodeAt(0)};`);
}
