/** The server, and who this window is. */

import { SeanceClient, type TokenStore } from '@seance/client';

export const baseUrl = process.env.NEXT_PUBLIC_SEANCE_URL ?? 'http://127.0.0.1:8000';

// A window is one person, over reloads. With localStorage a browser would be one.
const store: TokenStore = {
  load: () => JSON.parse(sessionStorage.getItem('seance:tokens') ?? 'null'),
  save: (tokens) => sessionStorage.setItem('seance:tokens', JSON.stringify(tokens)),
};

/** For the browser: made once, since another client is another connection. */
export const client = new SeanceClient({ baseUrl, tokenStore: store });
