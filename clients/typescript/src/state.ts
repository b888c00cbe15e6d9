/** What a session looks like now: a snapshot that is replaced, never changed, so that it can be compared by identity. */

import type { SeanceError } from './errors.js';
import type { ServerEvents } from './generated/events.js';
import type {
  CircleTurn,
  Limits,
  Move,
  ParticipantData,
  PersonRef,
  QuestionMerged,
  QuestionQueued,
  SessionData,
  TurnData,
  Welcome,
} from './generated/schemas.js';
import type { PendingMessage } from './outbox.js';
import type { Message } from './rest.js';

/**
 * - `idle`: made, not started.
 * - `connecting`: the socket opens, or the join is not answered yet.
 * - `open`: in.
 * - `waiting`: between two attempts; see `retryAt`.
 * - `closed`: for good; see `error` and `closeCode`.
 */
export type Status = 'idle' | 'connecting' | 'open' | 'waiting' | 'closed';

/** What the spirit does. */
export interface SpiritState {
  /** The turn that is being answered. */
  turn: TurnData | null;
  /** Questions that wait, the next one first. */
  queue: readonly QuestionQueued[];
  /** Questions that another turn, `into`, answers too, until it ends. */
  merged: readonly QuestionMerged[];
  /** In a circle: who may ask now, and until when. Null until somebody was told. */
  circle: CircleTurn | null;
  /** The sentences of the present answer so far; the whole text comes as a message. */
  voice: string;
  /** The script that the planchette follows, as far as it is known; see `BoardPlayer`. */
  board: { turn_id: string; starts_at: string; moves: readonly Move[] } | null;
}

/** Everything about a session that a screen shows. */
export interface SessionState {
  status: Status;
  session: SessionData | null;
  /** Oneself. */
  self: ParticipantData | null;
  /** Those who have a place now. */
  participants: readonly ParticipantData[];
  /** Who types, oneself included. */
  typing: readonly PersonRef[];
  /** The latest messages, oldest first; deleted ones are gone. */
  messages: readonly Message[];
  /** What was sent, and is neither acknowledged nor among the messages yet, oldest first. */
  pending: readonly PendingMessage[];
  /**
   * Once `closed`: what was still pending then, oldest first. Nobody acknowledged it; whether the last one got through
   * before the line broke, the history tells by `client_msg_id`.
   */
  unsent: readonly PendingMessage[];
  spirit: SpiritState;
  limits: Limits | null;
  /** Failed attempts in a row. */
  attempt: number;
  /** When the next attempt begins, local milliseconds since 1970; null unless `waiting`. */
  retryAt: number | null;
  /** Why the last attempt failed, or the connection was closed. */
  error: SeanceError | null;
  /** The last WebSocket close code. */
  closeCode: number | null;
}

/** Before anything happened. */
export const EMPTY: SessionState = {
  status: 'idle',
  session: null,
  self: null,
  participants: [],
  typing: [],
  messages: [],
  pending: [],
  unsent: [],
  spirit: { turn: null, queue: [], merged: [], circle: null, voice: '', board: null },
  limits: null,
  attempt: 0,
  retryAt: null,
  error: null,
  closeCode: null,
};

type Reducers = { [E in keyof ServerEvents]?: (state: SessionState, data: ServerEvents[E]) => Partial<SessionState> };

/** The state after an event. Unknown events change nothing. `keep` bounds `messages`. */
export function reduce(state: SessionState, event: string, data: unknown, keep = 1000): SessionState {
  const change = (REDUCERS as Record<string, ((state: SessionState, data: unknown) => Partial<SessionState>) | undefined>)[event];
  if (!change) return state;
  const next = { ...state, ...change(state, data) };
  return next.messages.length > keep ? { ...next, messages: next.messages.slice(-keep) } : next;
}

/** `welcome` where the log goes on from what is known already. The messages stay: what was missed follows. */
export function rejoined(state: SessionState, data: Welcome): SessionState {
  return { ...state, ...fromWelcome(state, data), messages: state.messages };
}

const REDUCERS: Reducers = {
  welcome: (state, data) => ({ ...fromWelcome(state, data), messages: data.recent }),
  user_joined: ({ participants, self }, data) => {
    const known = participants.find((one) => one.user_id === data.id);
    const joined: ParticipantData = {
      is_muted: false,
      ...known,
      id: data.participant_id,
      user_id: data.id,
      name: data.name,
      role: data.role,
      joined_at: data.joined_at,
      left_at: null,
      is_present: true,
      looks_like: data.looks_like,
    };
    return {
      participants: known ? participants.map((one) => (one === known ? joined : one)) : [...participants, joined],
      self: self?.user_id === data.id ? joined : self,
    };
  },
  user_left: ({ participants, typing }, data) => ({
    participants: participants.filter((one) => one.user_id !== data.id),
    typing: typing.filter((one) => one.id !== data.id),
  }),
  user_typing: (_, data) => ({ typing: data.users }),
  message_received: (state, data) => ({ messages: insert(state.messages, data) }),
  spirit_response: (state, data) => ({
    messages: insert(state.messages, data),
    spirit: data.turn_id === null ? state.spirit : turnEnded(state.spirit, data.turn_id),
  }),
  message_deleted: ({ messages }, data) => ({ messages: messages.filter((one) => one.id !== data.message_id) }),
  question_queued: ({ spirit }, data) => ({
    spirit: {
      ...spirit,
      queue: [...waiting(spirit, data.turn_id), data].sort((a, b) => a.position - b.position),
    },
  }),
  question_merged: ({ spirit }, data) => ({
    spirit: { ...spirit, merged: [...spirit.merged.filter((one) => one.turn_id !== data.turn_id), data] },
  }),
  circle_turn: ({ spirit }, data) => ({ spirit: { ...spirit, circle: data } }),
  spirit_thinking: ({ spirit }, data) => ({
    spirit: { ...spirit, turn: { ...data, started_at: null }, queue: waiting(spirit, data.turn_id), voice: '' },
  }),
  spirit_voice: ({ spirit }, data) => ({
    spirit: { ...spirit, voice: spirit.voice ? `${spirit.voice} ${data.text}` : data.text },
  }),
  spirit_move: ({ spirit }, data) => {
    const same = spirit.board?.turn_id === data.turn_id && spirit.board.starts_at === data.starts_at;
    return { spirit: { ...spirit, board: { ...data, moves: mergeMoves(same ? spirit.board!.moves : [], data.moves) } } };
  },
  spirit_cancelled: ({ spirit }, data) => ({ spirit: withoutBoard(turnEnded(spirit, data.turn_id), data.turn_id) }),
  spirit_failed: ({ spirit }, data) => ({ spirit: withoutBoard(turnEnded(spirit, data.turn_id), data.turn_id) }),
  session_updated: ({ spirit }, { session }) => ({
    session,
    spirit: session.spirit.mode === 'circle' ? spirit : { ...spirit, circle: null },
  }),
  session_ended: ({ spirit }, data) => ({
    session: data.session,
    participants: [],
    typing: [],
    spirit: { ...spirit, turn: null, queue: [], merged: [], circle: null, voice: '' },
  }),
};

function fromWelcome(state: SessionState, data: Welcome): Partial<SessionState> {
  const { turn, queue = [], merged = [], circle = null } = data.spirit;
  const goesOn = turn !== null && turn.turn_id === state.spirit.turn?.turn_id;
  return {
    session: data.session,
    self: data.participant,
    participants: data.participants,
    typing: [],
    limits: data.limits,
    spirit: { ...state.spirit, turn, queue, merged, circle, voice: goesOn ? state.spirit.voice : '' },
  };
}

/** Moves in order of their number, each once. */
export function mergeMoves(known: readonly Move[], more: readonly Move[]): Move[] {
  const byNumber = new Map([...known, ...more].map((move) => [move.i, move]));
  return [...byNumber.values()].sort((a, b) => a.i - b.i);
}

function insert(messages: readonly Message[], message: Message): readonly Message[] {
  const last = messages.at(-1);
  if (last === undefined || last.seq < message.seq) return [...messages, message];
  if (messages.some((one) => one.seq === message.seq)) return messages;
  return [...messages, message].sort((a, b) => a.seq - b.seq);
}

function waiting(spirit: SpiritState, turnId: string): QuestionQueued[] {
  return spirit.queue.filter((one) => one.turn_id !== turnId);
}

function turnEnded(spirit: SpiritState, turnId: string): SpiritState {
  const isNow = spirit.turn?.turn_id === turnId;
  const merged = spirit.merged.filter((one) => one.into !== turnId && one.turn_id !== turnId);
  return { ...spirit, queue: waiting(spirit, turnId), merged, ...(isNow ? { turn: null, voice: '' } : {}) };
}

function withoutBoard(spirit: SpiritState, turnId: string): SpiritState {
  return spirit.board?.turn_id === turnId ? { ...spirit, board: null } : spirit;
}
