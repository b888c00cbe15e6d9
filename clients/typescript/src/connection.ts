/** A live session: joins, stays, comes back, and hands on every event of the log once and in order. */

import { backoffMs, comesBack, type BackoffOptions } from './backoff.js';
import { ServerClock } from './clock.js';
import { asError, Commands } from './commands.js';
import { Cursor } from './cursor.js';
import { Emitter } from './emitter.js';
import { SeanceError } from './errors.js';
import { encode, frameOf, isDurable, type Frame, type ServerEvent, type ServerFrame } from './frames.js';
import type { ClientEvents, ServerEvents } from './generated/events.js';
import type { Ack, ErrorData, Join, ResyncRequired, UpdateSession, Welcome } from './generated/schemas.js';
import { Pulse } from './heartbeat.js';
import { Link } from './link.js';
import { Outbox, type SendOptions } from './outbox.js';
import { newId, PLATFORM, type Platform, type WebSocketClass } from './platform.js';
import type { Message } from './rest.js';
import { EMPTY, reduce, rejoined, type SessionState, type Status } from './state.js';
import { TokenSource } from './token-source.js';

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

/** Close codes with a reading of their own. */
const TOKEN_EXPIRED = 4001;
const UNAUTHORIZED = 4500;
/** A connection that held this long, in milliseconds, starts counting failures anew. */
const STABLE_MS = 10_000;
const TYPING_EVERY_MS = 3_000;
const LEAVE_MS = 2_000;

/** One person in one session, over as many sockets as it takes. Make it with `SeanceClient.connect`. */
export class Connection {
  /** The secret of a guest without a token, to be kept for coming back as the same participant. */
  readonly userId: string | undefined;
  /** The server's clock, as far as it can be told from here. */
  readonly clock: ServerClock;
  /** Resolves when first joined; rejects if that will never be. */
  readonly ready: Promise<void>;

  readonly #setup: ConnectionSetup;
  readonly #platform: Platform;
  readonly #emitter = new Emitter<ConnectionEvents>();
  readonly #cursor = new Cursor();
  readonly #outbox: Outbox;
  readonly #commands = new Commands();
  readonly #token: TokenSource;
  #state: SessionState = EMPTY;
  #link: Link | undefined;
  #pulse: Pulse | undefined;
  #timer: unknown;
  #joinSentAt = 0;
  #openedAt: number | undefined;
  #failures = 0;
  #reconnectAfterMs: number | undefined;
  #refusal: SeanceError | undefined;
  #welcome: Welcome | undefined;
  #held: ServerFrame[] | undefined;
  #typedAt = Number.NEGATIVE_INFINITY;
  #started!: { resolve(): void; reject(error: SeanceError): void };
  #stopOnline = () => {};

  constructor(setup: ConnectionSetup) {
    this.#setup = setup;
    this.#platform = setup.platform ?? PLATFORM;
    this.clock = new ServerClock(() => this.#platform.now());
    this.#token = new TokenSource(setup.token);
    this.userId = setup.userId ?? (typeof setup.token === 'string' ? undefined : newId());
    this.#outbox = new Outbox(
      {
        transmit: ({ client_msg_id, text, off_record }) =>
          this.#send('send_message', { text, client_msg_id, ...(off_record ? { off_record } : {}) }, client_msg_id),
        changed: () => this.#set({ pending: this.#outbox.pending }),
      },
      this.#platform,
      setup.ackTimeoutMs ?? 10_000,
    );
    this.ready = new Promise((resolve, reject) => (this.#started = { resolve, reject }));
    this.ready.catch(() => undefined); // whoever waits for it hears; nobody has to
  }

  // --- What it looks like ---------------------------------------------------------------------------------------

  /** The snapshot now. It is replaced at each change, never changed. */
  get state(): SessionState {
    return this.#state;
  }

  /** The position in the log: the highest `seq` that was handed on. */
  get position(): { epoch: string | undefined; seq: number } {
    return { epoch: this.#cursor.epoch, seq: this.#cursor.seq };
  }

  /** Listen to an event; the result stops it. A listener that throws disturbs nobody. */
  on<Name extends keyof ConnectionEvents>(name: Name, listener: (...values: ConnectionEvents[Name]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  /** Be told when `state` was replaced; the result stops it. */
  subscribe(listener: () => void): () => void {
    return this.#emitter.on('state', listener);
  }

  /** The frames from now on, one after another, until the connection is closed. Nothing is dropped while one waits. */
  async *frames(): AsyncGenerator<Frame, void, undefined> {
    const queue: Frame[] = [];
    let wake = (): void => undefined;
    const stops = [
      this.on('frame', (frame) => (queue.push(frame), wake())),
      this.on('closed', () => wake()),
    ];
    try {
      for (;;) {
        while (queue.length > 0) yield queue.shift()!;
        if (this.#state.status === 'closed') return;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      for (const stop of stops) stop();
    }
  }

  [Symbol.asyncIterator](): AsyncGenerator<Frame, void, undefined> {
    return this.frames();
  }

  // --- What one can do ------------------------------------------------------------------------------------------

  /** Begin. `SeanceClient.connect` has done it already. */
  start(): this {
    if (this.#state.status !== 'idle') return this;
    const retry = (): void => this.retryNow();
    globalThis.addEventListener?.('online', retry);
    this.#stopOnline = () => globalThis.removeEventListener?.('online', retry);
    void this.#attempt();
    return this;
  }

  /** While `waiting`: try now, and not only at `retryAt`. */
  retryNow(): void {
    if (this.#state.status === 'waiting') void this.#attempt();
  }

  /**
   * Say something, now or when the connection is back. Resolves when it is stored: exactly once, in the order of the
   * calls. Rejects with a `SeanceError` if the server refuses it for good, or when the connection is closed.
   */
  send(text: string, options: SendOptions = {}): Promise<Ack> {
    this.#typedAt = Number.NEGATIVE_INFINITY;
    return this.#outbox.send(text, options);
  }

  /** Say that one types, at each key if you like: it goes out every 3 s at most. False says that one stopped. */
  typing(isTyping = true): void {
    const now = this.#platform.now();
    if (this.#state.status !== 'open') return;
    if (isTyping ? now - this.#typedAt < TYPING_EVERY_MS : this.#typedAt === Number.NEGATIVE_INFINITY) return;
    this.#typedAt = isTyping ? now : Number.NEGATIVE_INFINITY;
    this.#send('typing', { is_typing: isTyping });
  }

  /** Take a message away: its author, the host, staff. */
  deleteMessage(messageId: string): Promise<void> {
    return this.#command('delete_message', { message_id: messageId });
  }

  /** End a turn that waits or is being answered: who asked, the host, staff. */
  cancelQuestion(turnId: string): Promise<void> {
    return this.#command('cancel_question', { turn_id: turnId });
  }

  /** Ask an ended turn's question once more: who asked, the host, staff. */
  askAgain(turnId: string): Promise<void> {
    return this.#command('ask_again', { turn_id: turnId });
  }

  /** Send somebody away for good: the host, staff. `userId` is `ParticipantData.user_id`. */
  kick(userId: string): Promise<void> {
    return this.#command('kick_user', { user_id: userId });
  }

  /** Change the session: the host, staff. */
  updateSession(changes: UpdateSession): Promise<void> {
    return this.#command('update_session', changes);
  }

  /** End the session for good: the host, staff. */
  endSession(): Promise<void> {
    // The socket closes before a heartbeat behind the command is answered: the event says it, too.
    const done = new Promise<void>((resolve) => {
      const stop = this.on('session_ended', () => (stop(), resolve()));
    });
    return Promise.race([this.#command('end_session', {}), done]);
  }

  /** Give the seat back and close. What waits in the outbox rejects; wait for its promises first. */
  async leave(): Promise<void> {
    if (this.#state.status === 'open') {
      const closed = new Promise<void>((resolve) => this.on('disconnected', () => resolve()));
      this.#send('leave_session', {});
      const timer = this.#platform.setTimeout(() => this.close(), LEAVE_MS);
      await closed;
      this.#platform.clearTimeout(timer);
    }
    this.close();
  }

  /** Close, and keep the seat for as long as the server keeps it for somebody whose connection dropped. */
  close(): void {
    if (this.#state.status === 'closed') return;
    const link = this.#link;
    this.#finish(null);
    link?.abandon('closed by the user');
  }

  // --- One attempt ----------------------------------------------------------------------------------------------

  async #attempt(): Promise<void> {
    this.#platform.clearTimeout(this.#timer);
    this.#set({ status: 'connecting', retryAt: null, attempt: this.#failures });
    let token: string | undefined;
    try {
      token = await this.#token.get();
    } catch (cause) {
      return this.#noToken(cause);
    }
    if (this.#state.status !== 'connecting') return; // closed meanwhile
    this.#reconnectAfterMs = this.#refusal = this.#openedAt = this.#held = undefined;
    const Socket = this.#setup.WebSocket ?? (globalThis.WebSocket as WebSocketClass | undefined);
    if (Socket === undefined) {
      const message = 'There is no WebSocket here; pass one, such as NodeWebSocket of @seance/client/node.';
      return this.#finish(new SeanceError('CONNECTION_CLOSED', message));
    }
    const link = new Link(
      Socket,
      this.#setup.url,
      {
        opened: () => this.#join(token),
        frame: (frame) => this.#hear(frame),
        ended: (code, reason) => this.#dropped(code, reason),
      },
      this.#platform,
    );
    this.#link = link;
    link.limit(this.#setup.joinTimeoutMs ?? 15_000, 'no welcome in time');
  }

  #join(token: string | undefined): void {
    const { name, role, invite, batch } = this.#setup;
    const join: Join = {};
    if (token !== undefined) join.token = token;
    else if (this.userId !== undefined) join.user_id = this.userId;
    if (name !== undefined) join.name = name;
    if (role !== undefined) join.role = role;
    if (invite !== undefined) join.invite = invite;
    if (batch !== undefined) join.batch = batch;
    if (this.#cursor.epoch !== undefined) join.resume = { epoch: this.#cursor.epoch, after_seq: this.#cursor.seq };
    this.#joinSentAt = this.#platform.now();
    this.#send('join_session', join, 'join');
  }

  // --- Frames ---------------------------------------------------------------------------------------------------

  #hear(frame: ServerFrame): void {
    if (isDurable(frame)) return this.#durable(frame);
    switch (frame.event) {
      case 'welcome':
        return this.#welcomed(frame);
      case 'resumed':
        this.#cursor.endReplay(frame.data.to);
        this.#hand(frame);
        return this.#opened();
      case 'resync_required':
        this.#hand(frame);
        return void this.#resync(frame.data.reason);
      case 'ack':
        this.#outbox.acked(frame.data);
        break;
      case 'heartbeat':
        if (!this.#pulse?.answered(frame.ref, frame.data)) this.#commands.answered(frame.ref);
        break;
      case 'error':
        this.#refused(frame.data, frame.ref);
        break;
      case 'token_refreshed':
        this.#token.accepted();
        break;
      case 'token_expiring':
        void this.#renewToken();
        break;
      case 'goodbye':
        this.#reconnectAfterMs = frame.data.reconnect_after_ms;
        break;
      default:
        this.#maybeWithheld(frame);
    }
    this.#hand(frame);
  }

  #durable(frame: ServerFrame & { seq: number }): void {
    if (this.#held) return void this.#held.push(frame);
    const after = this.#cursor.seq;
    const verdict = this.#cursor.offer(frame.seq);
    if (verdict === 'next') return this.#hand(frame);
    if (verdict === 'known') return;
    this.#emitter.emit('gap', { after, got: frame.seq });
    this.#link?.abandon('events are missing');
  }

  /** Let an event change the snapshot, then tell it. */
  #hand(frame: ServerFrame): void {
    if (frame.event === 'message_received' && frame.data.user_id !== null && frame.data.user_id === this.#state.self?.user_id) {
      const { client_msg_id, id, seq } = frame.data;
      if (client_msg_id !== null) this.#outbox.seen(client_msg_id, id, seq);
    }
    this.#replace(reduce(this.#state, frame.event, frame.data, this.#setup.keepMessages));
    this.#tell(frame);
  }

  #tell(frame: ServerFrame): void {
    const emit = this.#emitter.emit.bind(this.#emitter) as (event: string, data: unknown, frame: Frame) => void;
    emit(frame.event, frame.data, frame);
    this.#emitter.emit('frame', frame);
  }

  #welcomed(frame: Frame<'welcome', Welcome>): void {
    const { data } = frame;
    this.#welcome = data;
    this.#link?.lift();
    this.clock.expire();
    this.clock.sample(data.server_time, this.#joinSentAt);
    const isFirst = this.#cursor.epoch === undefined;
    if (isFirst) {
      this.#cursor.reset(data.epoch, data.seq);
      this.#replace(reduce(this.#state, 'welcome', data, this.#setup.keepMessages));
    } else {
      this.#cursor.expectReplay(Number.POSITIVE_INFINITY);
      this.#replace(rejoined(this.#state, data));
    }
    this.#tell(frame);
    if (isFirst) this.#opened();
  }

  /** In, and at the end of the log. */
  #opened(): void {
    const link = this.#link;
    if (link === undefined || this.#welcome === undefined) return;
    this.#openedAt = this.#platform.now();
    this.#set({ status: 'open', attempt: 0, error: null });
    this.#pulse = new Pulse(
      {
        beat: (ref) => this.#send('heartbeat', { last_seq: this.#cursor.seq }, ref),
        position: () => this.#cursor.seq,
      },
      link,
      this.clock,
      this.#platform,
      this.#welcome.heartbeat_ms,
      this.#setup.silenceMs ?? 10_000,
    );
    this.#token.accepted();
    this.#outbox.open();
    this.#started.resolve();
  }

  /** The server does not replay. Read what was missed from the history; if the log is another one, begin anew. */
  async #resync(reason: ResyncRequired['reason']): Promise<void> {
    const welcome = this.#welcome;
    const link = this.#link;
    if (welcome === undefined || link === undefined) return;
    this.#held = [];
    let complete = false;
    if (reason === 'too_far_behind') {
      try {
        const found = await this.#missed(welcome.seq);
        if (link !== this.#link) return;
        this.#takeMissed(found);
        complete = true;
      } catch (error) {
        if (link !== this.#link) return;
        if (error instanceof SeanceError && error.retryable) return link.abandon('the history could not be read');
      }
    }
    this.#cursor.reset(welcome.epoch, welcome.seq);
    if (!complete) this.#set({ messages: welcome.recent });
    this.#emitter.emit('resync', { reason, complete });
    const held = this.#held;
    this.#held = undefined;
    for (const frame of held ?? []) if (link === this.#link) this.#hear(frame);
    if (link === this.#link) this.#opened();
  }

  /** The history from the first message of the snapshot to `seq`, so that deleted ones are noticed. */
  async #missed(seq: number): Promise<Message[]> {
    const first = this.#state.messages[0]?.seq ?? this.#cursor.seq + 1;
    const found: Message[] = [];
    for await (const message of this.#setup.history(Math.min(first - 1, this.#cursor.seq), seq + 1)) found.push(message);
    return found;
  }

  #takeMissed(found: Message[]): void {
    const there = new Set(found.map((message) => message.id));
    this.#set({ messages: this.#state.messages.filter((message) => there.has(message.id)) });
    for (const message of found.filter((one) => one.seq > this.#cursor.seq)) {
      this.#cursor.seq = message.seq;
      this.#hand(frameOf(message));
    }
  }

  #refused(data: ErrorData, ref: string | undefined): void {
    if (ref === 'join' || this.#state.status !== 'open') {
      // The close that follows says whether to come back; after an error that leaves the socket open none does.
      this.#refusal = asError(data);
      if (ref === 'join') this.#link?.limit(1_000, 'the join was refused');
      return;
    }
    if (ref === undefined || this.#outbox.refused(ref, data)) return;
    this.#commands.answered(ref, data);
  }

  /** A notice to the author in place of an `ack`, of a server that has such notices. */
  #maybeWithheld(frame: Frame): void {
    if (frame.event === 'safety_notice' && frame.ref) this.#outbox.withheld(frame.ref, frame.data as Record<string, unknown>);
  }

  async #renewToken(): Promise<void> {
    const link = this.#link;
    try {
      const token = await this.#token.renew();
      if (token !== undefined && link === this.#link) this.#send('refresh_token', { token }, 'token');
    } catch {
      // The socket closes with 4001 when the old one ends; the next attempt asks for a token again.
    }
  }

  // --- The end of a socket --------------------------------------------------------------------------------------

  #dropped(code: number, reason: string): void {
    this.#pulse?.stop();
    this.#pulse = this.#link = undefined;
    this.#typedAt = Number.NEGATIVE_INFINITY;
    this.#outbox.suspend();
    this.#commands.lost();
    if (this.#state.status === 'closed') return;
    this.#set({ closeCode: code, typing: [] });
    const error = this.#refusal ?? new SeanceError('CONNECTION_LOST', reason || `Closed with ${code}.`, { closeCode: code });
    const wantsToken = code === TOKEN_EXPIRED || (code === UNAUTHORIZED && error.code === 'UNAUTHORIZED');
    if (wantsToken && this.#token.mayRenew) return void this.#comeBackWithToken(code, reason);
    const isFinal = !comesBack(code) || wantsToken || (this.#refusal?.retryable === false && !(code >= 4000));
    if (isFinal) {
      this.#emitter.emit('disconnected', { code, reason, retryInMs: null });
      return this.#finish(code === 1000 && !this.#refusal ? null : closedError(error, code));
    }
    this.#comeBack(code, reason, error);
  }

  #comeBack(code: number, reason: string, error: SeanceError): void {
    const now = this.#platform.now();
    if (this.#openedAt !== undefined && now - this.#openedAt >= STABLE_MS) this.#failures = 0;
    const told = this.#reconnectAfterMs ?? this.#refusal?.retryAfterMs;
    const retryInMs = told ?? backoffMs(this.#failures, () => this.#platform.random(), this.#setup.backoff);
    this.#failures += 1;
    this.#set({ status: 'waiting', attempt: this.#failures, retryAt: now + retryInMs, error });
    this.#timer = this.#platform.setTimeout(() => void this.#attempt(), retryInMs);
    this.#emitter.emit('disconnected', { code, reason, retryInMs });
  }

  async #comeBackWithToken(code: number, reason: string): Promise<void> {
    this.#set({ status: 'waiting' });
    this.#emitter.emit('disconnected', { code, reason, retryInMs: 0 });
    try {
      await this.#token.renew();
    } catch (cause) {
      return this.#noToken(cause);
    }
    if (this.#state.status === 'waiting') void this.#attempt();
  }

  /** No token could be got: a matter of time, or for good. */
  #noToken(cause: unknown): void {
    if (this.#state.status === 'closed') return;
    const error = cause instanceof SeanceError ? cause : new SeanceError('UNAUTHORIZED', 'There is no token.', { cause });
    if (error.retryable) this.#comeBack(1006, error.message, error);
    else this.#finish(error);
  }

  #finish(error: SeanceError | null): void {
    if (this.#state.status === 'closed') return;
    this.#platform.clearTimeout(this.#timer);
    this.#stopOnline();
    const reason = error ?? new SeanceError('CONNECTION_CLOSED', 'The connection was closed.');
    this.#set({ status: 'closed', error, retryAt: null, typing: [] });
    this.#outbox.end(reason);
    this.#commands.lost();
    this.#started.reject(reason);
    this.#emitter.emit('closed', error);
  }

  // --- Small things ---------------------------------------------------------------------------------------------

  #send<E extends keyof ClientEvents>(event: E, data: ClientEvents[E], ref?: string): void {
    this.#link?.send(encode(event, data, ref));
  }

  #command<E extends keyof ClientEvents>(event: E, data: ClientEvents[E]): Promise<void> {
    if (this.#state.status !== 'open') {
      return Promise.reject(new SeanceError('CONNECTION_LOST', 'Not connected at the moment.', { retryable: true }));
    }
    return this.#commands.run((ref, fence) => {
      this.#send(event, data, ref);
      this.#send('heartbeat', { last_seq: this.#cursor.seq }, fence);
    });
  }

  #set(change: Partial<SessionState>): void {
    this.#replace({ ...this.#state, ...change });
  }

  #replace(state: SessionState): void {
    const before = this.#state;
    if (state === before) return;
    this.#state = state;
    if (state.status !== before.status) this.#emitter.emit('status', state.status);
    this.#emitter.emit('state', state);
  }
}

/** The error of a refused join, or one that names the close code. */
function closedError(error: SeanceError, code: number): SeanceError {
  if (error.code !== 'CONNECTION_LOST') return new SeanceError(error.code, error.message, { ...error, closeCode: code });
  const [known, message] = FINAL[code] ?? ['CONNECTION_CLOSED', `The server closed the connection for good (${code}).`];
  return new SeanceError(known, message, { closeCode: code });
}

/** Closes without an `error` event before them, by what they mean. */
const FINAL: Record<number, [SeanceError['code'], string]> = {
  4001: ['UNAUTHORIZED', 'The access token expired.'],
  4500: ['UNAUTHORIZED', 'The access token is not good any more.'],
  4501: ['FORBIDDEN', 'Not allowed in this session.'],
  4503: ['FORBIDDEN', 'Sent away from this session.'],
  4505: ['SESSION_ENDED', 'The session has ended.'],
  4506: ['SESSION_NOT_FOUND', 'There is no such session.'],
};
