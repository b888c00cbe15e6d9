/** The way in for others: a link and its QR code. By invitation, the link has an invite of its own. */

import type { SeanceClient, SessionData } from '@seance/client';
import { button, field, h, s, say } from './dom.js';
import { qrCode } from './qr.js';
import { sentence } from './words.js';

/** The address of a session's page; the invite stands behind the #, so that no server's log has it. */
export function linkTo(sessionId: string, invite?: string): string {
  return `${location.origin}/board/${encodeURIComponent(sessionId)}${invite ? `#invite=${encodeURIComponent(invite)}` : ''}`;
}

/** A QR code as one picture. */
export function drawQr(text: string): SVGSVGElement {
  const rows = qrCode(text);
  const size = rows.length + 8; // four modules of quiet on each side
  const d = rows.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x + 4} ${y + 4}h1v1h-1z` : ''))).join('');
  return s(
    'svg',
    { viewBox: `0 0 ${size} ${size}`, class: 'qr', role: 'img', 'aria-label': 'QR code of the link', 'shape-rendering': 'crispEdges' },
    s('rect', { width: size, height: size, fill: '#f3e6c8' }),
    s('path', { d, fill: '#1c0e05' }),
  );
}

/** The dialog; `mayInvite` is the host. */
export function shareDialog(client: SeanceClient, session: () => SessionData, mayInvite: () => boolean): { open(): void; element: HTMLDialogElement } {
  const link = h('input', { type: 'text', readonly: true, onfocus: () => link.select() });
  const code = h('div', { class: 'qr-frame' });
  const told = h('p', { class: 'told', role: 'status' });
  const copy = button('Copy the link', () => void copied(), { class: 'main' });
  let invite: string | undefined;

  async function copied(): Promise<void> {
    try {
      await navigator.clipboard.writeText(link.value);
      say(told, 'Copied. Send it to whom you want at the table.');
    } catch {
      link.focus(); // no clipboard on plain http: it is selected, ready to be copied by hand
      link.select();
      say(told, 'Selected: copy it with your keyboard.');
    }
  }

  async function fill(): Promise<void> {
    say(told, '');
    const { id, access, is_locked: isLocked } = session();
    try {
      if (access === 'invite' && mayInvite()) invite ??= (await client.sessions.createInvite(id)).code;
      if (access === 'invite' && !invite) say(told, 'This séance is by invitation: only the host’s link lets new people in.');
    } catch (error) {
      say(told, sentence(error));
    }
    if (isLocked) say(told, `The room is locked: nobody new comes in by this link before ${mayInvite() ? 'you unlock it, under “Host”' : 'the host unlocks it'}.`);
    link.value = linkTo(id, access === 'invite' ? invite : undefined);
    code.replaceChildren(drawQr(link.value));
  }

  const element = h(
    'dialog',
    { class: 'sheet share', 'aria-labelledby': 'share-title' },
    h('h2', { id: 'share-title' }, 'Call the others'),
    h('p', {}, 'Whoever opens this link chooses a name and sits down.'),
    code,
    field('Link', link),
    told,
    h('div', { class: 'row' }, copy, button('Close', () => element.close())),
  );
  return {
    element,
    open: () => {
      element.showModal();
      void fill();
    },
  };
}
