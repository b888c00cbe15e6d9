/** The REST calls, by what they are about. Shapes are those of the wire; every call rejects with a `SeanceError`. */

import type { CallOptions, Http } from './http.js';
import type { Operations } from './generated/operations.js';
import type {
  AnswerData,
  CreateSession,
  Credentials,
  InviteCode,
  InviteEnd,
  Layout,
  MessageData,
  NewInvite,
  ParticipantData,
  PostMessage,
  Register,
  SessionData,
  SetRole,
  SignedIn,
  SignedInByCookie,
  SpiritCard,
  UpdateMe,
  UpdateSession,
  UserData,
} from './generated/schemas.js';
import type { TokenKeeper } from './tokens.js';

/** A message of a person, or an answer of the spirit (`is_spirit`). */
export type Message = MessageData | AnswerData;

/** One page of a list; pages count from 1. */
export interface Page<T> {
  items: T[];
  page: number;
  per_page: number;
  /** Rows on all pages. */
  total: number;
}

/** A piece of a session's history, in ascending `seq`. */
export interface HistoryPage {
  messages: Message[];
  /** Whether there is more on the side that was cut. */
  has_more: boolean;
  /** Where the log ends. */
  last_seq: number;
  /** Which log it is. */
  epoch: string;
}

/** What a new session comes with. */
export interface OpenedSession {
  session: SessionData;
  /** Only where a guest was made to host it: that guest's access token. It cannot be refreshed. */
  hostToken?: string;
}

/** Sessions, what was said in them, and who was there. */
export class Sessions {
  constructor(private readonly http: Http) {}

  /** Open a session. Without a token, a fresh guest becomes its host; see `hostToken`. */
  async create(body: CreateSession, options: CallOptions = {}): Promise<OpenedSession> {
    const { data, meta } = await this.http.call('createSession', { body, ...options });
    return meta.host_token === undefined ? { session: data } : { session: data, hostToken: meta.host_token };
  }

  /** One page of the sessions that the caller may see on the list. `NOT_FOUND` past the last page. */
  async list(query: Operations['listSessions']['query'] = {}, options: CallOptions = {}): Promise<Page<SessionData>> {
    const { data, meta } = await this.http.call('listSessions', { query, ...options });
    return { items: data, page: meta.page, per_page: meta.per_page, total: meta.total };
  }

  /** One session. `SESSION_NOT_FOUND` where there is none that the caller may know of; an `invite` may help. */
  async get(sessionId: string, query: WithInvite = {}, options: CallOptions = {}): Promise<SessionData> {
    return (await this.http.call('getSession', { path: { session_id: sessionId }, query, ...options })).data;
  }

  /** Change a session. Host and staff; `SESSION_ENDED` after its end. */
  async update(sessionId: string, body: UpdateSession, options: CallOptions = {}): Promise<SessionData> {
    return (await this.http.call('updateSession', { path: { session_id: sessionId }, body, ...options })).data;
  }

  /** End a session for good. Host and staff; twice is the same as once. */
  async end(sessionId: string, options: CallOptions = {}): Promise<SessionData> {
    return (await this.http.call('endSession', { path: { session_id: sessionId }, ...options })).data;
  }

  /** One piece of the history: the latest `limit` messages (1–200, default 50), or those on one side of a `seq`. */
  async historyPage(
    sessionId: string,
    query: Operations['getHistory']['query'] = {},
    options: CallOptions = {},
  ): Promise<HistoryPage> {
    const { data, meta } = await this.http.call('getHistory', { path: { session_id: sessionId }, query, ...options });
    return { messages: data, has_more: meta.has_more, last_seq: meta.last_seq, epoch: meta.epoch };
  }

  /**
   * All messages after `after_seq` (default: from the first) in ascending `seq`, read piece by piece.
   * Up to `before_seq`, exclusive, if given; `limit` is the size of a piece (1–200, default 200).
   */
  async *history(
    sessionId: string,
    query: Operations['getHistory']['query'] = {},
    options: CallOptions = {},
  ): AsyncGenerator<Message, void, undefined> {
    let after = query.after_seq ?? 0;
    for (;;) {
      const piece = await this.historyPage(sessionId, { limit: 200, ...query, after_seq: after }, options);
      yield* piece.messages;
      const last = piece.messages.at(-1);
      if (!piece.has_more || last === undefined) return;
      after = last.seq;
    }
  }

  /** Everybody who is or was there, in the order of their first coming. */
  async participants(sessionId: string, query: WithInvite = {}, options: CallOptions = {}): Promise<ParticipantData[]> {
    return (await this.http.call('listParticipants', { path: { session_id: sessionId }, query, ...options })).data;
  }

  /** Send somebody away for good. Host and staff; `participantId` is `ParticipantData.id`. */
  async kick(sessionId: string, participantId: string, options: CallOptions = {}): Promise<ParticipantData> {
    const path = { session_id: sessionId, participant_id: participantId };
    return (await this.http.call('kickParticipant', { path, ...options })).data;
  }

  /** Mute somebody, or no more. Host and staff. */
  async mute(sessionId: string, participantId: string, muted = true, options: CallOptions = {}): Promise<ParticipantData> {
    const path = { session_id: sessionId, participant_id: participantId };
    return (await this.http.call('muteParticipant', { path, body: { muted }, ...options })).data;
  }

  /** Give somebody another role; `host` hands the host's seat over. Host and staff. */
  async setRole(
    sessionId: string,
    participantId: string,
    role: SetRole['role'],
    options: CallOptions = {},
  ): Promise<ParticipantData> {
    const path = { session_id: sessionId, participant_id: participantId };
    return (await this.http.call('setParticipantRole', { path, body: { role }, ...options })).data;
  }

  /** Make an invite: for `max_uses` people (missing: any), good for `expires_in` seconds. Host. */
  async createInvite(sessionId: string, body: NewInvite = {}, options: CallOptions = {}): Promise<InviteCode> {
    return (await this.http.call('createInvite', { path: { session_id: sessionId }, body, ...options })).data;
  }

  /** Make an invite worthless. Host. */
  async revokeInvite(sessionId: string, code: string, options: CallOptions = {}): Promise<InviteEnd> {
    return (await this.http.call('revokeInvite', { path: { session_id: sessionId, code }, ...options })).data;
  }

  /** Say something without a connection. The same `client_msg_id` again gives the stored message and `duplicate`. */
  async postMessage(
    sessionId: string,
    body: PostMessage,
    options: CallOptions = {},
  ): Promise<{ message: MessageData; duplicate: boolean }> {
    const { data, meta } = await this.http.call('postMessage', { path: { session_id: sessionId }, body, ...options });
    return { message: data, duplicate: meta.duplicate };
  }

  /** Take a message away. Its author, the host, staff; twice is the same as once. */
  async deleteMessage(sessionId: string, messageId: string, options: CallOptions = {}): Promise<Message> {
    const path = { session_id: sessionId, message_id: messageId };
    return (await this.http.call('deleteMessage', { path, ...options })).data;
  }

  /** The address of a download. It needs the `Authorization` header where the session is not `open`. */
  transcriptUrl(sessionId: string, format: TranscriptFormat = 'txt', query: WithInvite = {}): string {
    return this.http.url('getTranscript', { session_id: sessionId }, { format, ...query });
  }

  /** The text of a transcript. */
  async transcript(sessionId: string, format: TranscriptFormat = 'txt', options: CallOptions = {}): Promise<string> {
    const headers = { Accept: '*/*' };
    const call = { path: { session_id: sessionId }, query: { format }, headers, ...options };
    return (await this.http.send('getTranscript', call)).text();
  }
}

/** The code of an invite, for a session that one may not know of otherwise. */
export interface WithInvite {
  invite?: string;
}

/** What a transcript can be written as. */
export type TranscriptFormat = NonNullable<Operations['getTranscript']['query']['format']>;

/** The published spirits. */
export class Spirits {
  constructor(private readonly http: Http) {}

  /** All of them; one that speaks several languages once for each. */
  async list(options: CallOptions = {}): Promise<SpiritCard[]> {
    return (await this.http.call('listSpirits', options)).data;
  }

  /** One of them; English first. */
  async get(slug: string, options: CallOptions = {}): Promise<SpiritCard> {
    return (await this.http.call('getSpirit', { path: { slug }, ...options })).data;
  }
}

/** Where letters and words stand on a board. */
export class Layouts {
  constructor(private readonly http: Http) {}

  /** One layout, such as `classic-en@1`. A version never changes, so it can be kept for ever. */
  async get(layoutId: string, options: CallOptions = {}): Promise<Layout> {
    return (await this.http.call('getLayout', { path: { layout_id: layoutId }, ...options })).data;
  }
}

/** The tokens of an answer. They are there: this client never asks for cookies in their place. */
export function told(answer: SignedIn | SignedInByCookie): SignedIn {
  if ('access' in answer) return answer;
  throw new TypeError('The server set cookies in place of telling the tokens.');
}

/** Who one is. Calls that answer with tokens make the client use them. */
export class Auth {
  constructor(
    private readonly http: Http,
    private readonly tokens: TokenKeeper,
  ) {}

  /** Be a guest. `FORBIDDEN` where the server wants accounts. */
  async guest(name: string, options: CallOptions = {}): Promise<SignedIn> {
    return this.#take((await this.http.call('createGuest', { body: { name }, anonymous: true, ...options })).data);
  }

  /** Make an account. Null where the server first sends a mail: go on with `verify`. */
  async register(body: Register, options: CallOptions = {}): Promise<SignedIn | null> {
    const { data } = await this.http.call('register', { body, anonymous: true, ...options });
    return 'access' in data ? this.#take(data) : null;
  }

  /** Confirm an address with the token of the mail. */
  async verify(token: string, options: CallOptions = {}): Promise<SignedIn> {
    return this.#take((await this.http.call('verifyAddress', { body: { token }, anonymous: true, ...options })).data);
  }

  /** Log in. `UNAUTHORIZED` for an unknown address and a wrong password alike. */
  async logIn(body: Credentials, options: CallOptions = {}): Promise<SignedIn> {
    return this.#take((await this.http.call('logIn', { body, anonymous: true, ...options })).data);
  }

  /** Renew the tokens now; calls that come together share one renewal. Gives the access token. */
  async refresh(): Promise<string> {
    return this.tokens.renew((await this.tokens.get())?.access ?? '');
  }

  /** Revoke the refresh token and all that came of it, and forget both. */
  async revoke(options: CallOptions = {}): Promise<void> {
    const refresh = (await this.tokens.get())?.refresh;
    if (refresh !== undefined) await this.http.call('revokeToken', { body: { refresh }, anonymous: true, ...options });
    await this.tokens.set(null);
  }

  /** Who the token says one is. */
  async me(options: CallOptions = {}): Promise<UserData> {
    return (await this.http.call('getMe', options)).data;
  }

  /** Change one's name. */
  async updateMe(body: UpdateMe, options: CallOptions = {}): Promise<UserData> {
    return (await this.http.call('updateMe', { body, ...options })).data;
  }

  /** Erase oneself: account, name and tokens. There is no way back. */
  async eraseMe(options: CallOptions = {}): Promise<UserData> {
    const { data } = await this.http.call('eraseMe', options);
    await this.tokens.set(null);
    return data;
  }

  async #take(answer: SignedIn | SignedInByCookie): Promise<SignedIn> {
    const signedIn = told(answer);
    await this.tokens.set({ access: signedIn.access, refresh: signedIn.refresh });
    return signedIn;
  }
}
