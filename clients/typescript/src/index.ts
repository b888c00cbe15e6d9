/** `@seance/client`: REST, live sessions, and a player of the spirit board. */

export { SeanceClient, type ClientOptions } from './client.js';
export { Connection } from './connection.js';
export { type ConnectionEvents, type JoinOptions } from './connection-options.js';
export { SeanceError, type ClientErrorCode, type SeanceErrorOptions, type ServerErrorCode } from './errors.js';
export { type CallOptions } from './http.js';
export * from './rest.js';
export { expiryOf, type TokenKeeper, type Tokens, type TokenStore } from './tokens.js';
export { type PendingMessage, type SendOptions } from './outbox.js';
export { type SessionState, type SpiritState, type Status } from './state.js';
export { type Frame, type ServerEvent, type ServerFrame } from './frames.js';
export { ServerClock } from './clock.js';
export { backoffMs, type BackoffOptions } from './backoff.js';
export { comesBack } from './closes.js';
export { type Platform, type WebSocketClass, type WebSocketLike } from './platform.js';
export { BoardPlayer, follow, type PlayerOptions } from './player.js';
export {
  durationOf,
  easeInOut,
  linear,
  positionAt,
  REST,
  type Easing,
  type Point,
  type Position,
  type ReadOptions,
  type ScriptLike,
} from './script.js';
export type * from './generated/schemas.js';
export type { ClientEvents, ServerEvents } from './generated/events.js';
export { CLOSE_CODES, DURABLE_EVENTS, ERROR_CODES } from './generated/events.js';
