/** Frames: the JSON objects on the wire. */

import { DURABLE_EVENTS, type ClientEvents, type ServerEvents } from './generated/events.js';
import type { AnswerData } from './generated/schemas.js';
import type { Message } from './rest.js';

/** The name of an event that the server sends. */
export type ServerEvent = keyof ServerEvents;

/** A frame of the server. */
export interface Frame<E extends string = string, Data = unknown> {
  event: E;
  data: Data;
  /** When the server made it, RFC 3339, UTC. */
  timestamp: string;
  /** The place in the log, on durable events only. */
  seq?: number;
  /** That of the client's frame, on answers only. */
  ref?: string;
}

/** Any known frame of the server, told apart by `event`. */
export type ServerFrame = { [E in ServerEvent]: Frame<E, ServerEvents[E]> }[ServerEvent];

const DURABLE: ReadonlySet<string> = new Set(DURABLE_EVENTS);

/** The frames in a text from the server; none where it is no frame. */
export function decode(text: unknown): ServerFrame[] {
  try {
    const found: unknown = JSON.parse(String(text));
    return (Array.isArray(found) ? found : [found]).filter(isFrame);
  } catch {
    return [];
  }
}

/** A client's frame as text. */
export function encode<E extends keyof ClientEvents>(event: E, data: ClientEvents[E], ref?: string): string {
  return JSON.stringify(ref === undefined ? { event, data } : { event, ref, data });
}

/** Whether it is an entry of the log. Events of a newer server count by their `seq`. */
export function isDurable(frame: Frame): frame is Frame & { seq: number } {
  return typeof frame.seq === 'number' && (DURABLE.has(frame.event) || !('ref' in frame));
}

/** A message of the history as the frame that it once was. The turn of an answer is not known there. */
export function frameOf(message: Message): ServerFrame {
  const { seq, timestamp } = message;
  if (message.is_spirit) {
    const data = { ...(message as AnswerData), message: message.text, turn_id: null };
    return { event: 'spirit_response', data, timestamp, seq };
  }
  return { event: 'message_received', data: { ...message, message: message.text }, timestamp, seq };
}

function isFrame(found: unknown): found is ServerFrame {
  if (typeof found !== 'object' || found === null) return false;
  const { event, data } = found as Partial<Frame>;
  return typeof event === 'string' && typeof data === 'object' && data !== null;
}
