/** Frames that are dropped, doubled and out of order between a client and a real server, and the checker at the end. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SeanceClient, type JoinOptions } from '../src/index.js';
import { NodeWebSocket } from '../src/node/index.js';
import { check, until, Witness } from './support/checker.js';
import { chance, DamagingProxy, type Shares } from './support/damage.js';
import { Server } from './support/server.js';

const PATIENT: JoinOptions = { backoff: { minMs: 10, maxMs: 60 }, ackTimeoutMs: 250, silenceMs: 600, joinTimeoutMs: 700 };
const ROUNDS = 8;

let server: Server;
let straight: SeanceClient;
before(async () => {
  server = await Server.start({ RATE_LIMITS_ENABLED: 'false', HEARTBEAT_SECONDS: '1', BAD_FRAMES_PER_MINUTE: '10000' });
  straight = new SeanceClient({ baseUrl: server.url });
});
after(() => server.stop());

const KINDS: [string, Shares, JoinOptions][] = [
  ['dropped', { drop: 0.12, double: 0, swap: 0 }, {}],
  ['doubled', { drop: 0, double: 0.3, swap: 0 }, {}],
  ['out of order', { drop: 0, double: 0, swap: 0.2 }, {}],
  ['dropped, doubled and out of order', { drop: 0.05, double: 0.08, swap: 0.08 }, {}],
  ['dropped, doubled and out of order, in batches', { drop: 0.05, double: 0.08, swap: 0.08 }, { batch: true }],
  ['dropped, doubled and out of order, on the WebSocket of Node', { drop: 0.05, double: 0.08, swap: 0.08 }, { WebSocket: NodeWebSocket }],
];

for (const [name, shares, options] of KINDS) {
  test(`frames that are ${name} lose, double and reorder nothing`, async (t) => {
    const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
    t.diagnostic(`SEED=${seed}`);
    const wire = await DamagingProxy.start(server.port, shares, chance(seed));
    const { session } = await straight.sessions.create({ name: 'Room', spirit: { mode: 'off' } });
    const damaged = new SeanceClient({ baseUrl: wire.url });
    const how = { ...PATIENT, ...options };
    const people = [
      new Witness(damaged.connect(session.id, { name: 'Ada', ...how })),
      new Witness(damaged.connect(session.id, { name: 'Bob', ...how })),
      new Witness(straight.connect(session.id, { name: 'Eve', ...PATIENT })),
    ];
    try {
      await Promise.all(people.map(({ connection }) => connection.ready));
      for (let round = 0; round < ROUNDS; round += 1) {
        await Promise.all(people.flatMap((one, who) => [0, 1, 2].map((i) => one.say(`${round}.${who}.${i}`))));
      }
      wire.isHarmful = false; // what was lost at the very end is missed by the next heartbeat
      const history = await check(server, session.id, people);
      assert.equal(history.length, ROUNDS * people.length * 3);
      assert.deepEqual(
        history.map(({ seq }) => seq),
        history.map((_, i) => i + 1),
      );
      if (shares.double >= 0.3) assert.ok(people.some((one) => one.duplicates > 0), 'the server has seen no message twice');
      await until(() => people.every(({ connection }) => connection.state.status === 'open'), 'all are there');
      for (const harm of ['drop', 'double', 'swap'] as const) {
        const count = wire.done.toClient[harm] + wire.done.toServer[harm];
        assert.ok(shares[harm] === 0 ? count === 0 : wire.done.toClient[harm] > 0, `${harm}: ${count}`);
      }
      t.diagnostic(JSON.stringify(wire.done));
    } finally {
      for (const { connection } of people) connection.close();
      await wire.stop();
    }
  });
}
