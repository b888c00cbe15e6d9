/** What is said in plain words: refusals, and what the settings of a session mean. */

import { SeanceError, type SpiritSettings } from '@seance/client';

/** Who answers when, as the host chooses it. */
export const MODES: readonly (readonly [SpiritSettings['mode'], string])[] = [
  ['open', 'Every message is a question'],
  ['summoned', 'It answers when it is named'],
  ['circle', 'Each in turn, around the table'],
  ['chorus', 'Questions together, one answer'],
  ['off', 'It is away: we talk among ourselves'],
];

/** How fast the planchette goes. */
export const PACES: readonly (readonly [SpiritSettings['pace'], string])[] = [
  ['ritual', 'Slow, as it should be'],
  ['brisk', 'Brisk'],
  ['instant', 'At once'],
];

/** Who gets in. */
export const ACCESS: readonly (readonly ['open' | 'invite' | 'members', string])[] = [
  ['open', 'Whoever has the link'],
  ['invite', 'Whoever is invited'],
  ['members', 'Anyone with an account'],
];

/** What the empty line says, by mode. */
export const PROMPTS: Record<SpiritSettings['mode'], string> = {
  open: 'Ask the spirit …',
  summoned: 'Say “spirit” to ask it …',
  circle: 'Ask when it is your turn …',
  chorus: 'Ask together …',
  off: 'The spirit is away …',
};

/** A refusal as a page: what it is, why, and no blame. */
export interface Refusal {
  title: string;
  text: string;
}

const PAGES: Record<string, Refusal> = {
  SESSION_NOT_FOUND: {
    title: 'Nobody sits here',
    text: 'There is no séance at this address, or it is by invitation only. Look at the link once more, or ask whoever sent it for a new one.',
  },
  SESSION_FULL: {
    title: 'Every seat is taken',
    text: 'The table is full. You will be let in as soon as somebody gets up. Until then you can watch: a watcher needs no seat.',
  },
  SESSION_ENDED: { title: 'This séance is over', text: 'What was said can still be read.' },
  FORBIDDEN: {
    title: 'This table is not open to you',
    text: 'The host has let in others only, or you were asked to leave. You can always begin a séance of your own.',
  },
  UNAUTHORIZED: {
    title: 'Who are you?',
    text: 'This séance is for people with an account, or you were signed out. Sign in to go on.',
  },
  RATE_LIMITED: { title: 'Not so fast', text: 'That was too much at once. Wait a little, then try again.' },
  NETWORK_ERROR: { title: 'No answer', text: 'The server cannot be reached. Is the network there?' },
};

/** In front of a locked room. */
export const LOCKED: Refusal = {
  title: 'The room is locked',
  text: 'The host has locked it: nobody new comes in, not even to watch. Ask them to unlock it, then knock again.',
};

/** The page of an error. */
export function refusalOf(error: unknown, closeCode?: number | null): Refusal {
  if (closeCode === 4503) {
    return { title: 'You were asked to leave', text: 'The host has sent you away from this table. You can always begin a séance of your own.' };
  }
  if (closeCode === 4507) {
    return { title: 'You sit in too many places', text: 'You have opened more windows than one person may. This one was the oldest.' };
  }
  const code = error instanceof SeanceError ? error.code : '';
  return PAGES[code] ?? { title: 'Something went wrong', text: sentence(error) };
}

/** An error as one sentence, where the page goes on. */
export function sentence(error: unknown): string {
  if (!(error instanceof SeanceError)) return 'That did not work.';
  switch (error.code) {
    case 'VALIDATION_ERROR':
      return Object.values(error.details).flat().map(String).join(' ') || error.message;
    case 'NOT_YOUR_TURN':
      return 'It is somebody else’s turn to ask.';
    case 'QUEUE_FULL':
      return 'Too many questions are waiting. Ask again in a moment.';
    case 'NETWORK_ERROR':
    case 'CONNECTION_LOST':
      return 'The line is down just now. Try again.';
    default:
      return error.message;
  }
}

/** A time of day, as this browser's owner writes it. */
export function clock(timestamp: string): string {
  return new Date(timestamp).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
}

/** A date. */
export function day(timestamp: string): string {
  return new Date(timestamp).toLocaleDateString([], { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
}

/** `one seat`, `3 seats`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return n === 1 ? `one ${one}` : `${n} ${many}`;
}
