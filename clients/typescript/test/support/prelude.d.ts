/** What the text around a snippet of the documentation has made already. */

import type { Connection as SeanceConnection, SeanceClient as Client } from '@seance/client';

declare global {
  const client: Client;
  const connection: SeanceConnection;
  const sessionId: string;
  function draw(x: number, y: number, glyph: string | null, spelt: string): void;
}
