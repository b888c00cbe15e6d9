/** A live session: joins, stays, comes back, and hands on every event of the log once and in order. */

import { ServerClock } from './clock.js';
import { Commands } from './commands.js';
import type { ConnectionEvents, ConnectionSetup } from './connection-options.js';
import { Emitter } from './emitter.js';
import { SeanceError } from './errors.js';
import { isDurable, type Frame, type ServerFrame } from './frames.js';
import type { ClientEvents } from './generated/events.js';
import type { Ack, ErrorData, Join, UpdateSession, Welcome } from './generated/schemas.js';
import { Pulse } from './heartbeat.js';
import { Lifeline } from './lifeline.js';
import { Outbox, type SendOptions } from './outbox.js';
import { newId, PLATFORM, type Platform } from './platform.js';
import { Snapshot } from './snapshot.js';
import { reduce, rejoined, type SessionState } from './state.js';
import { LogStream } from './stream.js';

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
  readonly #snapshot = new Snapshot(this.#emitter);
  readonly #commands: Commands;
  readonly #line: Lifeline;
  readonly #stream: LogStream;
  readonly #outbox: Outbox;
  #pulse: Pulse | undefined;
  #joinSentAt = 0;
  #heartbeatMs = 0;
  #typedAt = Number.NEGATIVE_INFINITY;
  #started!: { resolve(): void; reject(error: SeanceError): void };

  constructor(setup: ConnectionSetup) {
    this.#setup = setup;
    this.#platform = setup.platform ?? PLATFORM;
    this.#commands = new Commands(this.#platform, setup.commandTimeoutMs ?? 15_000);
    this.clock = new ServerClock(() => this.#platform.now());
    this.userId = setup.userId ?? (typeof setup.token === 'string' ? undefined : newId());
    this.#line = new Lifeline(setup, this.#platform, this.#snapshot, this.#emitter, {
      join: (token) => this.#join(token),
      frame: (frame) => this.#hear(frame),
      lost: () => this.#lost(),
      finished: (error) => this.#finished(error),
    });
    this.#stream = new LogStream({
      hand: (frame) => this.#hand(frame),
      caughtUp: () => this.#opened(),
      broken: (reason) => this.#line.link?.abandon(reason),
      gap: (gap) => this.#emitter.emit('gap', gap),
      resync: (resync) => this.#emitter.emit('resync', resync),
      firstShown: () => this.state.messages[0]?.seq,
      keepOnly: (ids) => this.#snapshot.set({ messages: this.state.messages.filter((message) => ids.has(message.id)) }),
      showOnly: (messages) => this.#snapshot.set({ messages }),
      history: setup.history,
    });
    this.#outbox = new Outbox(
      {
        transmit: ({ client_msg_id, text, off_record }) =>
          this.#line.send('send_message', { text, client_msg_id, ...(off_record ? { off_record } : {}) }, client_msg_id),
        changed: () => this.#snapshot.set({ pending: this.#outbox.pending, unsent: this.#outbox.unsent }),
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
    return this.#snapshot.state;
  }

  /** The position in the log: the highest `seq` that was handed on. */
  get position(): { epoch: string | undefined; seq: number } {
    return { epoch: this.#stream.epoch, seq: this.#stream.seq };
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
        if (this.state.status === 'closed') return;
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
    if (this.state.status === 'idle') this.#line.start();
    return this;
  }

  /** While `waiting`: try now, and not only at `retryAt`. */
  retryNow(): void {
    this.#line.retryNow();
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
    if (this.state.status !== 'open') return;
    if (isTyping ? now - this.#typedAt < TYPING_EVERY_MS : this.#typedAt === Number.NEGATIVE_INFINITY) return;
    this.#typedAt = isTyping ? now : Number.NEGATIVE_INFINITY;
    this.#line.send('typing', { is_typing: isTyping });
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
    let stop = (): void => undefined;
    const done = new Promise<void>((resolve) => (stop = this.on('session_ended', () => resolve())));
    return Promise.race([this.#command('end_session', {}), done]).finally(stop);
  }

  /**
   * Give the seat back and close. Resolves when the server has closed, or 2 s later without it. What waits in the outbox
   * rejects; wait for its promises first.
   */
  async leave(): Promise<void> {
    if (this.state.status === 'open') {
      let end = (): void => undefined;
      const ended = new Promise<void>((resolve) => (end = resolve));
      // A close from here, by the timer or by somebody else meanwhile, is no `disconnected`.
      const stops = [this.on('disconnected', end), this.on('closed', end)];
      this.#line.send('leave_session', {});
      const timer = this.#platform.setTimeout(() => this.close(), LEAVE_MS);
      await ended;
      this.#platform.clearTimeout(timer);
      for (const stop of stops) stop();
    }
    this.close();
  }

  /** Close, and keep the seat for as long as the server keeps it for somebody whose connection dropped. */
  close(): void {
    this.#line.finish(null);
  }

  // --- Frames ---------------------------------------------------------------------------------------------------

  #join(token: string | undefined): Join {
    const { name, role, invite, batch } = this.#setup;
    const join: Join = {};
    if (token !== undefined) join.token = token;
    else if (this.userId !== undefined) join.user_id = this.userId;
    if (name !== undefined) join.name = name;
    if (role !== undefined) join.role = role;
    if (invite !== undefined) join.invite = invite;
    if (batch !== undefined) join.batch = batch;
    const { epoch, seq } = this.#stream;
    if (epoch !== undefined) join.resume = { epoch, after_seq: seq };
    this.#joinSentAt = this.#platform.now();
    return join;
  }

  #hear(frame: ServerFrame): void {
    if (isDurable(frame)) return this.#stream.durable(frame);
    switch (frame.event) {
      case 'welcome':
        return this.#welcomed(frame);
      case 'resumed':
        return this.#stream.resumed(frame);
      case 'resync_required':
        this.#line.reads();
        this.#hand(frame);
        return void this.#stream.resync(frame.data.reason);
      case 'ack':
        this.#outbox.acked(frame.data);
        break;
      case 'safety_notice':
        if (frame.ref !== undefined) this.#outbox.withheld(frame.ref, frame.data);
        break;
      case 'heartbeat':
        if (!this.#pulse?.answered(frame.ref, frame.data)) this.#commands.answered(frame.ref);
        break;
      case 'error':
        this.#refused(frame.data, frame.ref);
        break;
      case 'token_refreshed':
        this.#line.tokenTaken();
        break;
      case 'token_expiring':
        void this.#line.renewToken();
        break;
      case 'goodbye':
        this.#line.toldToWait(frame.data.reconnect_after_ms);
        break;
    }
    this.#hand(frame);
  }

  /** Let an event change the snapshot, then tell it. */
  #hand(frame: ServerFrame): void {
    let isOwn = false;
    if (frame.event === 'message_received' && frame.data.user_id !== null && frame.data.user_id === this.state.self?.user_id) {
      const { client_msg_id, id, seq } = frame.data;
      isOwn = client_msg_id !== null && this.#outbox.seen(client_msg_id, id, seq);
    }
    const next = reduce(this.state, frame.event, frame.data, this.#setup.keepMessages);
    // In one step, so that no screen shows it twice, as pending and as said.
    this.#snapshot.replace(isOwn ? { ...next, pending: this.#outbox.pending } : next);
    this.#tell(frame);
  }

  #tell(frame: ServerFrame): void {
    const emit = this.#emitter.emit.bind(this.#emitter) as (event: string, data: unknown, frame: Frame) => void;
    emit(frame.event, frame.data, frame);
    this.#emitter.emit('frame', frame);
  }

  #welcomed(frame: Frame<'welcome', Welcome>): void {
    const { data } = frame;
    const kind = this.#stream.welcomed(data);
    if (kind === 'copy') return;
    this.#heartbeatMs = data.heartbeat_ms;
    this.#line.welcomed();
    this.clock.expire();
    this.clock.sample(data.server_time, this.#joinSentAt);
    if (kind === 'first') this.#snapshot.replace(reduce(this.state, 'welcome', data, this.#setup.keepMessages));
    else this.#snapshot.replace(rejoined(this.state, data));
    this.#tell(frame);
    if (kind === 'first') this.#opened();
  }

  /** In, and at the end of the log. */
  #opened(): void {
    const { link } = this.#line;
    if (link === undefined) return;
    this.#line.caughtUp();
    this.#pulse = new Pulse(
      {
        beat: (ref) => this.#line.send('heartbeat', { last_seq: this.#stream.seq }, ref),
        position: () => this.#stream.seq,
      },
      link,
      this.clock,
      this.#platform,
      this.#heartbeatMs,
      this.#setup.silenceMs ?? 10_000,
    );
    this.#outbox.open();
    this.#started.resolve();
  }

  #refused(data: ErrorData, ref: string | undefined): void {
    if (ref === 'join' || this.state.status !== 'open') return this.#line.refused(data, ref === 'join');
    if (ref === undefined || this.#outbox.refused(ref, data)) return;
    this.#commands.answered(ref, data);
  }

  #command<E extends keyof ClientEvents>(event: E, data: ClientEvents[E]): Promise<void> {
    if (this.state.status !== 'open') {
      return Promise.reject(new SeanceError('CONNECTION_LOST', 'Not connected at the moment.', { retryable: true }));
    }
    return this.#commands.run((ref, fence) => {
      this.#line.send(event, data, ref);
      this.#line.send('heartbeat', { last_seq: this.#stream.seq }, fence);
    });
  }

  // --- The end of a socket, and of all ------------------------------------------------------------------------------

  #lost(): void {
    this.#pulse?.stop();
    this.#pulse = undefined;
    this.#typedAt = Number.NEGATIVE_INFINITY;
    this.#stream.lost();
    this.#outbox.suspend();
    this.#commands.lost();
  }

  #finished(error: SeanceError | null): void {
    const reason = error ?? new SeanceError('CONNECTION_CLOSED', 'The connection was closed.');
    this.#outbox.end(reason);
    this.#commands.lost();
    this.#started.reject(reason);
    this.#emitter.emit('closed', error);
  }
}
