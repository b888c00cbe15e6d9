/** What a screen reader hears. One region for news, one for what must not wait; both there from the beginning. */

import { h } from './dom.js';

const polite = h('div', { class: 'unseen', 'aria-live': 'polite', role: 'status' });
const urgent = h('div', { class: 'unseen', 'aria-live': 'assertive', role: 'alert' });
const waiting: string[] = [];
let timer = 0;

/** Put the regions into the page. */
export function installAnnouncer(): void {
  document.body.append(polite, urgent);
}

/** Tell, in the order of the calls; what comes in the same moment is told together. */
export function tell(text: string): void {
  waiting.push(text);
  timer ||= window.setTimeout(() => {
    timer = 0;
    const said = h('p', {}, waiting.splice(0).join(' '));
    polite.append(said);
    while (polite.childElementCount > 5) polite.firstElementChild!.remove();
  }, 150);
}

/** Tell at once. */
export function alarm(text: string): void {
  urgent.replaceChildren(h('p', {}, text));
}
