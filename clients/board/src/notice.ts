/** A page that says no, and what to do instead. */

import { h } from './dom.js';
import type { Refusal } from './words.js';

/** The ways on come as buttons and links; there is always the one to the beginning. */
export function notice({ title, text }: Refusal, ...ways: (Node | null)[]): HTMLElement {
  return h(
    'main',
    { id: 'content', class: 'front refusal' },
    h('h1', { tabindex: -1 }, title),
    h('p', { class: 'about' }, text),
    h('div', { class: 'row' }, ...ways, h('a', { class: 'button', href: '/board/' }, 'To the beginning')),
  );
}
