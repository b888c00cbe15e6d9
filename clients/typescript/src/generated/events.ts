// Written by `npm run generate` from the OpenAPI and AsyncAPI documents. Do not edit.

import type {
  Ack,
  CircleTurn,
  ClientHeartbeat,
  DeleteMessage,
  EndSession,
  ErrorData,
  Goodbye,
  Heartbeat,
  Join,
  KickUser,
  Leave,
  MessageDeleted,
  MessageReceived,
  QuestionMerged,
  QuestionQueued,
  QuestionWithdrawn,
  RefreshToken,
  Resumed,
  ResyncRequired,
  SafetyNotice,
  SendMessage,
  SessionChanged,
  SpiritCancelled,
  SpiritFailed,
  SpiritMove,
  SpiritResponse,
  SpiritThinking,
  SpiritVoice,
  TokenExpiring,
  TurnCommand,
  Typing,
  UpdateSession,
  UserJoined,
  UserLeft,
  UserTyping,
  Welcome,
} from './schemas.js';

/** What a client may send: event → data. */
export interface ClientEvents {
  /** Joins the session: the first frame of every socket. Answered by `user_joined` and `welcome`. */
  join_session: Join;
  /** Gives the seat back at once; the server closes the socket with 1000. */
  leave_session: Leave;
  /** Says something. `ack` comes after COMMIT if `ref` or `client_msg_id` was given; then `error` with `QUEUE_FULL` and the same `ref`, where the message stands and the spirit will not answer it. */
  send_message: SendMessage;
  /** Says that this user types, or does no more. Expires after 8 s; `FORBIDDEN` for who may not speak. */
  typing: Typing;
  /** Takes a message away: its author, the host, staff. Everybody gets `message_deleted`. */
  delete_message: DeleteMessage;
  /** Ends a turn that waits or is being answered: who asked, the host, staff. */
  cancel_question: TurnCommand;
  /** Asks an ended turn's question once more: who asked, the host, staff. The old answer stays. */
  ask_again: TurnCommand;
  /** Sends somebody away for good: the host, staff. Everybody gets `user_left` with the reason `kicked`. */
  kick_user: KickUser;
  /** Ends the session for good: the host, staff. Everybody gets `session_ended`, and close code 4505. */
  end_session: EndSession;
  /** Changes the session: the host, staff. What is left out stays as it is. */
  update_session: UpdateSession;
  /** Puts a new access token of the same user in the old one's place. */
  refresh_token: RefreshToken;
  /** Says how far this client has come; a server that is behind its own client reads on. */
  heartbeat: ClientHeartbeat;
}

/** What the server sends: event → data. */
export interface ServerEvents {
  /** Somebody said something. */
  message_received: MessageReceived;
  /** A message is gone: take it off the screen. History and replay leave it out from now on. */
  message_deleted: MessageDeleted;
  /** The spirit has answered; the turn is over. */
  spirit_response: SpiritResponse;
  /** A turn ended without an answer: it was cancelled, or its question was deleted. */
  spirit_cancelled: SpiritCancelled;
  /** A turn ended without an answer; `code` says why. */
  spirit_failed: SpiritFailed;
  /** The session was changed. */
  session_updated: SessionChanged;
  /** The session is over. Close code 4505 follows. */
  session_ended: SessionChanged;
  /** Somebody took a place. A joiner gets a copy as the first frame, with every further socket too. */
  user_joined: UserJoined;
  /** Somebody gave the place back, or lost it. */
  user_left: UserLeft;
  /** Everybody who types now: the whole set, at each change. */
  user_typing: UserTyping;
  /** A question has to wait. Told again when its place changes. */
  question_queued: QuestionQueued;
  /** The same was asked already, or a chorus gathers: turn `into` answers this question too. */
  question_merged: QuestionMerged;
  /** Somebody asked what is not for the table. Nothing of it was kept, and nobody is named. */
  question_withdrawn: QuestionWithdrawn;
  /** In a circle: who may ask now, and until when. Told when that changes. */
  circle_turn: CircleTurn;
  /** A turn begins. Another attempt (a server was lost, or a text that was heard is gone) begins it again: forget its moves and sentences. */
  spirit_thinking: SpiritThinking;
  /** The next moves of the planchette, shortly before they are due; to a joiner, those so far. */
  spirit_move: SpiritMove;
  /** One sentence of an answer that is still being made. The whole text comes with `spirit_response`. */
  spirit_voice: SpiritVoice;
  /** You are in: the whole state at position `seq` of log `epoch`. */
  welcome: Welcome;
  /** Everything that was missed has been sent again, just before this. */
  resumed: Resumed;
  /** What was missed is not sent again: read the history. The socket goes on from `welcome.seq`. */
  resync_required: ResyncRequired;
  /** Your message is stored. Never sent before COMMIT. */
  ack: Ack;
  /** Out of character, to the author alone, in place of an `ack`: nothing was stored or shown. */
  safety_notice: SafetyNotice;
  /** Something was refused. The socket stays open unless a close follows. */
  error: ErrorData;
  /** The position of the log and the server's clock. */
  heartbeat: Heartbeat;
  /** The token of this socket expires soon: send `refresh_token`, or be closed with 4001. */
  token_expiring: TokenExpiring;
  /** The new token was taken. */
  token_refreshed: TokenExpiring;
  /** The server stops, or wants you to reconnect; 4006 follows. Come back after `reconnect_after_ms`. */
  goodbye: Goodbye;
}

/** The events of the log, which have a `seq`. */
export const DURABLE_EVENTS = ['message_received', 'message_deleted', 'spirit_response', 'spirit_cancelled', 'spirit_failed', 'session_updated', 'session_ended'] as const;

/** Every error code of the server. */
export const ERROR_CODES = {
  VALIDATION_ERROR: { retryable: false, httpStatus: 400 },
  UNAUTHORIZED: { retryable: false, httpStatus: 401 },
  FORBIDDEN: { retryable: false, httpStatus: 403 },
  NOT_FOUND: { retryable: false, httpStatus: 404 },
  SESSION_NOT_FOUND: { retryable: false, httpStatus: 404 },
  METHOD_NOT_ALLOWED: { retryable: false, httpStatus: 405 },
  NOT_ACCEPTABLE: { retryable: false, httpStatus: 406 },
  UNSUPPORTED_MEDIA_TYPE: { retryable: false, httpStatus: 415 },
  SESSION_ENDED: { retryable: false, httpStatus: 409 },
  SESSION_FULL: { retryable: true, httpStatus: 409 },
  IDEMPOTENCY_CONFLICT: { retryable: false, httpStatus: 409 },
  RATE_LIMITED: { retryable: true, httpStatus: 429 },
  INTERNAL_ERROR: { retryable: true, httpStatus: 500 },
  UNAVAILABLE: { retryable: true, httpStatus: 503 },
  INVALID_FORMAT: { retryable: false, httpStatus: 400 },
  UNKNOWN_EVENT: { retryable: false, httpStatus: 400 },
  NOT_JOINED: { retryable: false, httpStatus: 400 },
  EMPTY_MESSAGE: { retryable: false, httpStatus: 400 },
  MESSAGE_TOO_LONG: { retryable: false, httpStatus: 400 },
  SPIRIT_ERROR: { retryable: true, httpStatus: 500 },
  QUEUE_FULL: { retryable: true, httpStatus: 409 },
  QUEUE_EXPIRED: { retryable: true, httpStatus: 409 },
  NOT_YOUR_TURN: { retryable: true, httpStatus: 409 },
  SAFETY_NOTICE: { retryable: false, httpStatus: 422 },
} as const;

/** Close codes that the server sends → whether to come back. */
export const CLOSE_CODES: Readonly<Record<number, boolean>> = {
  /** The client left, by `leave_session` or by a clean close of its own. */
  1000: false,
  /** A text frame was not UTF-8. */
  1007: false,
  /** A frame was larger than 65,536 bytes. */
  1009: false,
  /** The server underneath failed. */
  1011: true,
  /** The server stopped before the socket had joined. */
  1012: true,
  /** A server error, the database away at a join, or the server was taken for dead. */
  4000: true,
  /** The access token expired, or the password was changed: come back with a new one. */
  4001: true,
  /** The client read too slowly. */
  4002: true,
  /** Heartbeat timeout: no answer to a ping within 20 seconds. */
  4003: true,
  /** Rate limited: too many sockets or joins from one address. */
  4005: true,
  /** The server stops, or wants you to reconnect. `goodbye` has said when to come back. */
  4006: true,
  /** Every seat is taken. */
  4008: true,
  /** Unauthorized: no token where one is needed, a bad one, or one in the URL. */
  4500: false,
  /** Forbidden. */
  4501: false,
  /** Too many bad frames within a minute. */
  4502: false,
  /** Sent away for good: banned, or no longer wanted by the host. */
  4503: false,
  /** The session has ended. */
  4505: false,
  /** There is no such session, or none that the caller may know of. */
  4506: false,
  /** The same user opened too many sockets; this was the oldest. */
  4507: false,
  /** No join within the wait. */
  4510: false,
  /** Unsupported version: no subprotocol `seance.v…` that was offered is ours. */
  4511: false,
};
