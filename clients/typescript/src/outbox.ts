/** What was said and is not acknowledged yet: sent in order, one at a time, again and again with the same id. */

import { backoffMs } from './backoff.js';
import { SeanceError } from './errors.js';
import type { Ack, ErrorData, SafetyNotice } from './generated/schemas.js';
import { newId, type Platform } from './platform.js';

/** A message that waits for its `ack`. */
export interface PendingMessage {
  readonly client_msg_id: string;
  readonly text: string;
  readonly off_record: boolean;
}

/** Refusals that time alone does not take away: to send again is the author's choice, and the next message may go. */
const WAITS_FOR_PEOPLE: ReadonlySet<string> = new Set(['NOT_YOUR_TURN']);

interface Entry extends PendingMessage {
  readonly promise: Promise<Ack>;
  resolve(ack: Ack): void;
  reject(error: SeanceError): void;
  refusals: number;
  /** Set when the message came back as an event: it is stored, whatever becomes of its `ack`. */
  stored?: Ack;
}

/** How one message may be sent. */
export interface SendOptions {
  /** 1–64 printable ASCII characters, unique for ever; made if missing. Keep it to send again after a reload. */
  clientMsgId?: string;
  /** Seen by people, never by the spirit; default false. */
  offRecord?: boolean;
}

/** What an outbox needs of its connection. */
export interface OutboxPort {
  /** Put a message on the wire. Called only while the outbox is open. */
  transmit(message: PendingMessage): void;
  /** `pending` changed. */
  changed(): void;
}

/**
 * One message is on the way at any time, so that a refused one cannot be overtaken. It is sent again after
 * `ackTimeoutMs`, after a retryable refusal (`retry_after_ms`, else back-off), and on every new connection; the server
 * stores it once. A refusal that does not pass by itself rejects it, and the next one goes.
 */
export class Outbox {
  #queue: Entry[] = [];
  #isOpen = false;
  #timer: unknown;
  #ended: SeanceError | undefined;
  #unsent: readonly PendingMessage[] = [];

  constructor(
    private readonly port: OutboxPort,
    private readonly platform: Platform,
    private readonly ackTimeoutMs: number,
  ) {}

  /** What waits and is not in the log yet, the oldest first. */
  get pending(): readonly PendingMessage[] {
    return this.#queue.filter((entry) => !entry.stored).map(({ client_msg_id, text, off_record }) => ({ client_msg_id, text, off_record }));
  }

  /** What still waited when it ended, the oldest first. */
  get unsent(): readonly PendingMessage[] {
    return this.#unsent;
  }

  /** Say something. The same `clientMsgId` while it waits is the same promise. */
  send(text: string, options: SendOptions = {}): Promise<Ack> {
    if (this.#ended) return Promise.reject(this.#ended);
    const client_msg_id = options.clientMsgId ?? newId();
    const waiting = this.#queue.find((entry) => entry.client_msg_id === client_msg_id);
    if (waiting) {
      if (waiting.text === text && waiting.off_record === (options.offRecord ?? false)) return waiting.promise;
      return Promise.reject(new SeanceError('IDEMPOTENCY_CONFLICT', 'This clientMsgId waits with another text.'));
    }
    let resolve!: Entry['resolve'];
    let reject!: Entry['reject'];
    const promise = new Promise<Ack>((yes, no) => ([resolve, reject] = [yes, no]));
    const off_record = options.offRecord ?? false;
    this.#queue.push({ client_msg_id, text, off_record, promise, resolve, reject, refusals: 0 });
    if (this.#queue.length === 1) this.#transmit();
    this.port.changed();
    return promise;
  }

  /** A connection is there: what has no `ack` goes again. */
  open(): void {
    this.#isOpen = true;
    this.#transmit();
  }

  /** The connection is gone. What came back as an event needs no `ack` any more. */
  suspend(): void {
    this.#isOpen = false;
    this.#stopTimer();
    for (const entry of this.#queue.filter((entry) => entry.stored)) this.#settle(entry, () => entry.resolve(entry.stored!));
  }

  /** Nothing will be sent any more: everything that waits, and whatever comes, rejects with `error`. */
  end(error: SeanceError): void {
    this.suspend();
    this.#ended = error;
    this.#unsent = this.pending;
    for (const entry of this.#queue.splice(0)) entry.reject(error);
    this.port.changed();
  }

  /** The server acknowledged a message. */
  acked(ack: Ack): void {
    const entry = this.#find(ack.client_msg_id);
    if (entry) this.#settle(entry, () => entry.resolve(ack));
  }

  /**
   * A message of this user came as an event: it is stored. On the wire its `ack` follows; otherwise this counts.
   * Whether `pending` is another one now.
   */
  seen(clientMsgId: string, id: string, seq: number): boolean {
    const entry = this.#find(clientMsgId);
    if (!entry) return false;
    entry.stored = { id, seq, client_msg_id: clientMsgId, duplicate: false };
    if (!this.#isOpen) this.#settle(entry, () => entry.resolve(entry.stored!));
    return true;
  }

  /** The server refused a message. Whether it was one of this outbox. */
  refused(clientMsgId: string, error: ErrorData): boolean {
    const entry = this.#find(clientMsgId);
    if (!entry) return false;
    if (error.retryable && !WAITS_FOR_PEOPLE.has(error.code)) {
      const wait = error.retry_after_ms ?? backoffMs(entry.refusals, this.platform.random);
      entry.refusals += 1;
      this.#later(wait);
      return true;
    }
    const { code, message, details, retryable } = error;
    this.#settle(entry, () => entry.reject(new SeanceError(code, message, { details, retryable })));
    return true;
  }

  /** The server answered a message with a notice to its author, and did not store it. */
  withheld(clientMsgId: string, notice: SafetyNotice): void {
    const entry = this.#find(clientMsgId);
    if (!entry) return;
    this.#settle(entry, () => entry.reject(new SeanceError('WITHHELD', notice.text, { details: { ...notice } })));
  }

  #transmit(): void {
    const [first] = this.#queue;
    if (!this.#isOpen || first === undefined) return;
    this.#later(this.ackTimeoutMs);
    this.port.transmit({ client_msg_id: first.client_msg_id, text: first.text, off_record: first.off_record });
  }

  #later(ms: number): void {
    this.#stopTimer();
    if (this.#isOpen) this.#timer = this.platform.setTimeout(() => this.#transmit(), ms);
  }

  #stopTimer(): void {
    if (this.#timer !== undefined) this.platform.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #find(clientMsgId: string | null): Entry | undefined {
    return this.#queue.find((entry) => entry.client_msg_id === clientMsgId);
  }

  #settle(entry: Entry, tell: () => void): void {
    const wasFirst = entry === this.#queue[0];
    this.#queue = this.#queue.filter((other) => other !== entry);
    tell();
    if (wasFirst) {
      this.#stopTimer();
      this.#transmit();
    }
    this.port.changed();
  }
}
