/**
 * A chat in the terminal: `node chat.js http://127.0.0.1:8000 <session id> Ada`. Without an id a session is opened.
 * It keeps its place over dropped connections and restarts of the server. Ctrl-D leaves.
 */

import { createInterface } from 'node:readline';
import { SeanceClient, SeanceError } from '@seance/client';
import { NodeWebSocket } from '@seance/client/node';

const [baseUrl = 'http://127.0.0.1:8000', given, name = 'Ada'] = process.argv.slice(2);
const client = new SeanceClient({ baseUrl });
const sessionId = given ?? (await client.sessions.create({ name: 'A chat' })).session.id;
const connection = client.connect(sessionId, { name, WebSocket: NodeWebSocket });

connection.on('status', (status) => console.log(`· ${status}`));
connection.on('user_joined', (user) => console.log(`· ${user.name} is here`));
connection.on('user_left', (user) => console.log(`· ${user.name} has left`));
connection.on('message_received', (message) => console.log(`${message.user_name}: ${message.text}`));
connection.on('spirit_response', (answer) => console.log(`✦ ${answer.text}`));

try {
  await connection.ready;
  console.log(`· session ${sessionId}`);
  const lines = createInterface({ input: process.stdin });
  connection.on('closed', () => lines.close());
  for await (const line of lines) {
    if (line.trim()) connection.send(line).catch((error: SeanceError) => console.log(`! ${error.message}`));
  }
  await connection.leave();
} catch (error) {
  console.error(`! ${(error as Error).message}`);
  process.exitCode = 1;
}
