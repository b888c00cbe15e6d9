/** One error type for everything that can go wrong, over REST and on a connection. */

import type { ERROR_CODES } from './generated/events.js';

/** Codes that the server uses. */
export type ServerErrorCode = keyof typeof ERROR_CODES;

/**
 * Codes that only this library uses.
 *
 * - `NETWORK_ERROR`: the server could not be reached, or the answer did not arrive.
 * - `TIMEOUT`: no answer in time; what was asked for may or may not have been done.
 * - `ABORTED`: the caller's `AbortSignal` fired.
 * - `BAD_RESPONSE`: an answer that is not the server's form, such as a proxy's error page.
 * - `CONNECTION_LOST`: the connection dropped before a command was answered; it may or may not have been done.
 * - `CONNECTION_CLOSED`: the connection is closed for good.
 * - `WITHHELD`: the server answered a message with a notice to its author and did not store it; see `details`.
 */
export type ClientErrorCode =
  | 'NETWORK_ERROR'
  | 'TIMEOUT'
  | 'ABORTED'
  | 'BAD_RESPONSE'
  | 'CONNECTION_LOST'
  | 'CONNECTION_CLOSED'
  | 'WITHHELD';

/** What is known of an error besides its code and message. */
export interface SeanceErrorOptions {
  /** HTTP status; 0 where there was no HTTP answer. */
  status?: number;
  /** Whether the same call can succeed later. */
  retryable?: boolean;
  /** Milliseconds until another try makes sense. */
  retryAfterMs?: number | undefined;
  /** Of `VALIDATION_ERROR`: field → list of messages. */
  details?: Record<string, unknown> | undefined;
  /** `X-Request-ID` of the answer, for the server's logs. */
  requestId?: string | undefined;
  /** WebSocket close code, where a close was the reason. */
  closeCode?: number | undefined;
  cause?: unknown;
}

/** Thrown, or rejected with, by every call of this library. Decide by `code`; `message` is for people. */
export class SeanceError extends Error {
  override readonly name = 'SeanceError';
  /** A code of the server or of this library; a newer server may know more. */
  readonly code: ServerErrorCode | ClientErrorCode | (string & {});
  /** HTTP status; 0 where there was no HTTP answer. */
  readonly status: number;
  /** Whether the same call can succeed later. */
  readonly retryable: boolean;
  /** Milliseconds until another try makes sense, if the server said so. */
  readonly retryAfterMs: number | undefined;
  /** Of `VALIDATION_ERROR`: field → list of messages. */
  readonly details: Record<string, unknown>;
  /** `X-Request-ID` of the answer, for the server's logs. */
  readonly requestId: string | undefined;
  /** WebSocket close code, where a close was the reason. */
  readonly closeCode: number | undefined;

  constructor(code: SeanceError['code'], message: string, options: SeanceErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status ?? 0;
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs;
    this.details = options.details ?? {};
    this.requestId = options.requestId;
    this.closeCode = options.closeCode;
  }
}
