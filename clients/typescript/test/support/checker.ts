/** Writes down what clients saw, and holds it against what the server stored. */

import assert from 'node:assert/strict';
import type { Ack, Connection, Message, SeanceClient } from '../../src/index.js';

/** What one client heard and said. */
export class Witness {
  readonly heard: { seq: number; id: string; text: string }[] = [];
  readonly acks: Ack[] = [];
  readonly sent: string[] = [];
  readonly refused: unknown[] = [];
  /** Where its stream begins. */
  first: number | undefined;

  constructor(readonly connection: Connection) {
    connection.on('welcome', (data) => (this.first ??= data.seq));
    for (const event of ['message_received', 'spirit_response'] as const) {
      connection.on(event, ({ id, text }, frame) => this.heard.push({ seq: frame.seq!, id, text }));
    }
  }

  /** Say something, and write down its end. */
  say(text: string): Promise<unknown> {
    this.sent.push(text);
    return this.connection.send(text).then(
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

/**
 * The promise: what was acknowledged is stored exactly once, and every client's stream is the history from its first
 * event on, in the same order.
 */
export async function check(client: SeanceClient, sessionId: string, witnesses: Witness[]): Promise<Message[]> {
  const history: Message[] = [];
  for await (const message of client.sessions.history(sessionId)) history.push(message);
  const last = history.at(-1)?.seq ?? 0;
  await until(() => witnesses.every((one) => one.connection.position.seq >= last), 'everybody is at the end of the log');
  assert.deepEqual(
    history.map((message) => message.seq),
    history.map((message) => message.seq).toSorted((a, b) => a - b),
  );
  assert.equal(new Set(history.map((message) => message.id)).size, history.length);
  for (const witness of witnesses) {
    const expected = history.filter((message) => message.seq > witness.first!);
    assert.deepEqual(
      witness.heard,
      expected.map(({ seq, id, text }) => ({ seq, id, text })),
    );
    for (const ack of witness.acks) {
      const stored = history.filter((message) => message.client_msg_id === ack.client_msg_id);
      assert.deepEqual([stored.length, stored[0]?.id, stored[0]?.seq], [1, ack.id, ack.seq]);
    }
    const self = witness.connection.state.self?.user_id;
    const own = history.filter((message) => message.user_id === self).map((message) => message.text);
    assert.deepEqual(own, witness.sent);
    assert.deepEqual(witness.refused, []);
  }
  return history;
}
