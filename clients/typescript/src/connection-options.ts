/** How a connection is made, and what it tells. */

import type { BackoffOptions } from './backoff.js';
import type { SeanceError } from './errors.js';
import type { Frame, ServerEvent } from './frames.js';
import type { ServerEvents } from './generated/events.js';
import type { ResyncRequired } from './generated/schemas.js';
import type { Platform, WebSocketClass } from './platform.js';
import type { Message } from './rest.js';
import type { SessionState, Status } from './state.js';

/** How to join, and how patient to be. */
export interface JoinOptions {
  /**
   * An access token, or what gives one. It is called before each attempt and when the token of the open socket expires
   * soon, then with the old one as its argument. Default: the client's own tokens.
   */
  token?: string | ((stale?: string) => string | null | Promise<string | null>) | undefined;
  /** A guest's secret: the same one is the same participant. Made if missing; see `Connection.userId`. */
  userId?: string | undefined;
  /** How the others see one, 1–50 characters. */
  name?: string | undefined;
  /** An observer reads and takes no seat. */
  role?: 'participant' | 'observer' | undefined;
  /** The code of an invite. */
  invite?: string | undefined;
  /** Take events that are written together in one frame; nothing changes here but the load. */
  batch?: boolean;
  /** The wait between two attempts; default: full jitter from 500 ms to 30 s. */
  backoff?: BackoffOptions;
  /** Milliseconds for opening a socket and joining; default 15,000. */
  joinTimeoutMs?: number;
  /** Milliseconds until a message without an `ack` is sent again; default 10,000. */
  ackTimeoutMs?: number;
  /** Milliseconds until a command without an answer, such as `kick`, rejects with `TIMEOUT`; default 15,000. */
  commandTimeoutMs?: number;
  /** Milliseconds of silence after a heartbeat that count as a dead line; default 10,000. */
  silenceMs?: number;
  /** How many messages `state.messages` keeps; default 1,000. */
  keepMessages?: number;
  /** The class of sockets; default: the platform's `WebSocket`. Node 20 has none: take `@seance/client/node`'s. */
  WebSocket?: WebSocketClass;
}

/** @internal What a client gives its connections. */
export interface ConnectionSetup extends JoinOptions {
  url: string;
  /** Messages after one `seq` and before another, ascending. */
  history: (afterSeq: number, beforeSeq: number) => AsyncIterable<Message>;
  platform?: Platform;
}

type WireEvents = { [E in ServerEvent]: [data: ServerEvents[E], frame: Frame<E, ServerEvents[E]>] };

/** What `Connection.on` can listen to: every event of the server, and these. */
export interface ConnectionEvents extends WireEvents {
  /** Every frame that is handed on, unknown events among them. */
  frame: [frame: Frame];
  /** The snapshot changed. */
  state: [state: SessionState];
  status: [status: Status];
  /** A live event was ahead of the log; the connection is made anew to fetch what is missing. */
  gap: [gap: { after: number; got: number }];
  /**
   * What was missed could not be replayed. `complete`: it was read from the history and handed on as if it had come
   * live (messages only). Otherwise the log is another one: `state.messages` was replaced.
   */
  resync: [resync: { reason: ResyncRequired['reason']; complete: boolean }];
  /** The socket is gone. `retryInMs`: when the next attempt begins; null where there will be none. */
  disconnected: [end: { code: number; reason: string; retryInMs: number | null }];
  /** For good; null after `leave` and `close`. */
  closed: [error: SeanceError | null];
}
