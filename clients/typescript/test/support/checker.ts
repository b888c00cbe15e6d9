/** Writes down what clients saw, and holds it against what the server stored. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { isDurable } from '../../src/frames.js';
import { SeanceClient, type Ack, type Connection, type Message, type MessageData } from '../../src/index.js';
import { PYTHON, ROOT, type Server } from './server.js';

/** What one client heard and said. */
export class Witness {
  readonly heard: { seq: number; id: string; text: string }[] = [];
  /** Every durable event: `seq`, event, and of a message `id`, `client_msg_id` and text. */
  readonly receipts: [number, string, string, string, string][] = [];
  /** `client_msg_id` and text. */
  readonly sends: [string, string][] = [];
  /** Acks that said that the message was there already. */
  duplicates = 0;
  /** Whether some of the log was read from the history, which has messages only. */
  isResynced = false;
  readonly acks: Ack[] = [];
  readonly sent: string[] = [];
  readonly refused: unknown[] = [];
  /** Where its stream begins. */
  first: number | undefined;

  constructor(readonly connection: Connection) {
    connection.on('welcome', (data) => (this.first ??= data.seq));
    connection.on('resync', () => (this.isResynced = true));
    connection.on('ack', ({ duplicate }) => (this.duplicates += Number(duplicate)));
    connection.on('frame', (frame) => {
      if (!isDurable(frame)) return;
      const isSaid = frame.event === 'message_received' || frame.event === 'spirit_response';
      const { id, client_msg_id, text } = frame.data as MessageData;
      this.receipts.push(isSaid ? [frame.seq, frame.event, id, client_msg_id ?? '', text] : [frame.seq, frame.event, '', '', '']);
    });
    for (const event of ['message_received', 'spirit_response'] as const) {
      connection.on(event, ({ id, text }, frame) => this.heard.push({ seq: frame.seq!, id, text }));
    }
  }

  /** Say something, and write down its end. */
  say(text: string): Promise<unknown> {
    const clientMsgId = crypto.randomUUID();
    this.sent.push(text);
    this.sends.push([clientMsgId, text]);
    return this.connection.send(text, { clientMsgId }).then(
      (ack) => this.acks.push(ack),
      (error) => this.refused.push(error),
    );
  }
}

/** Wait until `condition` holds. */
export async function until(condition: () => boolean, what: string, ms = 15_000): Promise<void> {
  const end = Date.now() + ms;
  while (!condition()) {
    assert.ok(Date.now() < end, `${what}: not within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** What the judge of the server's tests says, who reads the log from the database: the breaches, one a line. */
export function judge(server: Server, sessionId: string, witnesses: Witness[]): Promise<string> {
  const logs = witnesses.map(({ connection, first, sends, acks, receipts }, i) => ({
    name: connection.state.self?.name ?? `client ${i}`,
    user_id: connection.state.self?.user_id ?? '',
    epoch: connection.position.epoch,
    after: first,
    sends,
    acks: acks.map((ack) => [ack.id, ack.seq, ack.client_msg_id, ack.duplicate]),
    receipts,
  }));
  return new Promise((resolve, reject) => {
    const file = join(server.varDir, 'db.sqlite3');
    const child = execFile(PYTHON, ['-m', 'tests.harness.judge', file, sessionId], { cwd: ROOT }, (error, found, said) => {
      if (error && !found) reject(new Error(said));
      else resolve(found.trim());
    });
    child.stdin!.end(JSON.stringify(logs));
  });
}

/**
 * The promise: what was acknowledged is stored exactly once, and every client's stream is the log from its first event
 * on, in the same order. The server's own judge says it of all durable events; here it is said again of the history,
 * and of what a screen shows.
 */
export async function check(server: Server, sessionId: string, witnesses: Witness[]): Promise<Message[]> {
  const history: Message[] = [];
  for await (const message of new SeanceClient({ baseUrl: server.url }).sessions.history(sessionId)) history.push(message);
  const last = history.at(-1)?.seq ?? 0;
  await until(() => witnesses.every((one) => one.connection.position.seq >= last), 'everybody is at the end of the log');
  if (!witnesses.some((one) => one.isResynced)) assert.equal(await judge(server, sessionId, witnesses), '');
  for (const witness of witnesses) {
    const shape = ({ seq, id, text }: { seq: number; id: string; text: string }) => ({ seq, id, text });
    assert.deepEqual(witness.heard, history.filter((message) => message.seq > witness.first!).map(shape));
    const { self, messages, pending } = witness.connection.state;
    assert.deepEqual(messages.map(shape), history.filter((message) => message.seq >= messages[0]!.seq).map(shape));
    const own = history.filter((message) => message.user_id === self?.user_id).map((message) => message.text);
    assert.deepEqual(own, witness.sent);
    assert.deepEqual([witness.refused, witness.acks.length, pending], [[], witness.sent.length, []]);
  }
  return history;
}
