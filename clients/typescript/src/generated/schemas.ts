// Written by `npm run generate` from the OpenAPI and AsyncAPI documents. Do not edit.

/** What one comes in with: an address with a password, accounts at OAuth providers. */
export interface Account {
  email: string | null;
  has_password: boolean;
  providers: string[];
}

export interface AccountAnswer {
  success: true;
  data: Account;
  meta: AnswerMeta;
}

/** `ack`: a message is stored. It is sent only after COMMIT. */
export interface Ack {
  id: string;
  seq: number;
  client_msg_id: string | null;
  /** True where the message had been stored before. */
  duplicate: boolean;
}

/** The process answers. */
export interface Alive {
  status: "healthy";
  /** RFC 3339, UTC. */
  timestamp: string;
}

/** A message of the spirit. `letter_timings`: one integer of 50–500 ms for each character of `text`. `starts_at`: when the planchette began, or begins, to spell `board_script`; null where nobody was shown it. */
export interface AnswerData {
  id: string;
  session_id: string;
  /** The place in the log. */
  seq: number;
  /** Null for the spirit, and for an author who was erased. */
  user_id: string | null;
  /** The name at that moment; null for the spirit. */
  user_name: string | null;
  text: string;
  /** RFC 3339, UTC. */
  timestamp: string;
  is_spirit: boolean;
  client_msg_id: string | null;
  /** The question that an answer answers. */
  in_reply_to: string | null;
  /** Seen by people only. */
  off_record: boolean;
  deleted_at: string | null;
  board_script: BoardScript;
  /** 50–500 ms for each character of `text`. */
  letter_timings: number[];
  /** At most 30. */
  word_count: number;
  /** Always null. */
  audio_url: string | null;
  source: "oracle" | "llm" | "cache";
  /** Null, or why this is not what the first provider would have said: provider_down, timeout, budget, filtered. */
  degraded: string | null;
  starts_at: string | null;
}

/** What stands beside `data`, and beside an error. */
export interface AnswerMeta {
  /** RFC 3339, UTC. */
  timestamp: string;
}

/** `seance.board-script/1`. `text` is what the glyphs spell; `dropped` is what could not be or was cut. */
export interface BoardScript {
  layout: string;
  text: string;
  source_text: string;
  lossy: boolean;
  dropped: string[];
  pace: "brisk" | "instant" | "ritual";
  seed: number;
  duration_ms: number;
  moves: Move[];
  schema?: string;
}

/** A whole word on the board. `rule` says when it is a shortcut: `opening` only as the first word of a sentence, `closing` anywhere, and it ends the script. */
export interface BoardWord {
  x: number;
  y: number;
  rule: "closing" | "opening";
}

/** A new password, with the present one. */
export interface ChangePassword {
  /** At most 1000 characters. */
  current_password: string;
  /** At most 1000 characters. */
  password: string;
}

/** `circle_turn`: in a circle this person may ask now, until `until`; then the next one may. */
export interface CircleTurn {
  user: PersonRef;
  /** RFC 3339, UTC. */
  until: string;
}

/** `heartbeat`: how far this client has come. */
export interface ClientHeartbeat {
  /** The highest `seq` that this client has. */
  last_seq?: number;
}

/** What became of a report. */
export interface CloseReport {
  state: "acted" | "dismissed";
}

/** A new session. */
export interface CreateSession {
  /** At most 400 characters. */
  name: string;
  /** Seats; the upper bound is the setting MAX_USERS_LIMIT. 2–1000. */
  max_users?: number;
  access?: "invite" | "members" | "open";
  is_listed?: boolean;
  is_locked?: boolean;
  spirit?: SpiritInput;
}

/** What an account logs in with. */
export interface Credentials {
  /** At most 254 characters. */
  email: string;
  /** At most 1000 characters. */
  password: string;
}

/** All sessions on one day. */
export interface DayFigures {
  people: number;
  messages: number;
  messages_per_person: number | null;
  questions: number;
  answers: number;
  degraded: number;
  failed: number;
  answer_latency: Latency;
  invites: number;
  invites_used: number;
  invite_joins: number;
  ack: Latency;
  delivery: Latency;
  returning: number;
  sessions_opened: number;
  sessions_ended: number;
  mean_duration_ms: number | null;
  mean_people: number | null;
  peak_people: number;
  day: string;
}

/** `delete_message`: author and host. */
export interface DeleteMessage {
  message_id: string;
}

/** An e-mail address. */
export interface EmailInput {
  /** At most 254 characters. */
  email: string;
}

/** `end_session`: host. */
export type EndSession = Record<string, never>;

/** What went wrong. Of a `VALIDATION_ERROR`, `details` maps each wrong field to its list of messages. */
export interface ErrorBody {
  code: string;
  message: string;
  details: Record<string, unknown>;
}

/** `error`: something was refused; the socket stays open unless a close follows. */
export interface ErrorData {
  code: "VALIDATION_ERROR" | "UNAUTHORIZED" | "FORBIDDEN" | "NOT_FOUND" | "SESSION_NOT_FOUND" | "METHOD_NOT_ALLOWED" | "NOT_ACCEPTABLE" | "UNSUPPORTED_MEDIA_TYPE" | "SESSION_ENDED" | "SESSION_FULL" | "IDEMPOTENCY_CONFLICT" | "RATE_LIMITED" | "INTERNAL_ERROR" | "UNAVAILABLE" | "INVALID_FORMAT" | "UNKNOWN_EVENT" | "NOT_JOINED" | "EMPTY_MESSAGE" | "MESSAGE_TOO_LONG" | "SPIRIT_ERROR" | "QUEUE_FULL" | "QUEUE_EXPIRED" | "NOT_YOUR_TURN" | "SAFETY_NOTICE";
  message: string;
  retryable: boolean;
  /** Of `VALIDATION_ERROR`: field → list of messages. */
  details?: Record<string, unknown>;
  retry_after_ms?: number | null;
}

/** Every error. */
export interface Failure {
  success?: false;
  error: ErrorBody;
  meta: AnswerMeta;
}

/** `goodbye`: the server goes away; come back after `reconnect_after_ms`. */
export interface Goodbye {
  reason: string;
  reconnect_after_ms: number;
  /** The last `seq` that this socket was given. */
  last_seq: number;
}

/** What the server can reach. `memory`: it is kept in this process, there is nothing to reach. `replica` is there where there is one. `reasons` is there where something is not well: a word for each that is not. */
export interface Health {
  status: "healthy" | "unhealthy";
  database: "connected" | "disconnected";
  cache: "connected" | "disconnected" | "memory";
  channel_layer: "connected" | "disconnected" | "memory";
  replica?: "behind" | "connected" | "disconnected";
  /** RFC 3339, UTC. */
  timestamp: string;
  reasons?: Record<string, string>;
}

/** `heartbeat`: the position of the log and the server's clock. */
export interface Heartbeat {
  seq: number;
  /** RFC 3339, UTC. */
  server_time: string;
}

export interface HistoryAnswer {
  success: true;
  data: Array<AnswerData | MessageData>;
  meta: HistoryMeta;
}

/** Where a piece of the log stands: more is left on the side that was cut; the log ends at `last_seq` of `epoch`. */
export interface HistoryMeta {
  /** RFC 3339, UTC. */
  timestamp: string;
  has_more: boolean;
  last_seq: number;
  epoch: string;
}

/** `host_token` is there where a guest was made to host the session: the access token of that guest. */
export interface HostMeta {
  /** RFC 3339, UTC. */
  timestamp: string;
  host_token?: string;
}

export interface InviteAnswer {
  success: true;
  data: InviteCode;
  meta: AnswerMeta;
}

/** A new invite. The code is told this once; `uses` of `max_uses` people have come in with it (null: no limit). */
export interface InviteCode {
  code: string;
  url: string;
  max_uses: number | null;
  uses: number;
  /** RFC 3339, UTC. */
  expires_at: string;
}

/** An invite that is worth nothing any more. */
export interface InviteEnd {
  code: string;
  uses: number;
  /** RFC 3339, UTC. */
  revoked_at: string;
}

export interface InviteEndAnswer {
  success: true;
  data: InviteEnd;
  meta: AnswerMeta;
}

/** `join_session`, and the bare first form `{"user_id", "name"}`. */
export interface Join {
  /** How the others see you: 1–50 characters; `Anonymous` if missing. */
  name?: string | null;
  /** A guest's own secret; the id that others see is derived from it. Ignored beside a token. */
  user_id?: string | null;
  /** An access token, where none came with the handshake. */
  token?: string | null;
  /** The code of an invite, for a session that one may not know of otherwise. */
  invite?: string | null;
  /** `observer` reads and takes no seat; only the host may be `host`. */
  role?: "host" | "observer" | "participant" | null;
  /** Send again what came after this position. */
  resume?: Resume | null;
  /** Events that are written together come in one frame, a JSON array of at most 50; one event alone stays an object. */
  batch?: boolean;
}

/** `kick_user`: host. */
export interface KickUser {
  user_id: string;
}

/** How long something took: how often it was measured, and percentiles, each told within 4.8 %. */
export interface Latency {
  count: number;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
}

/** A board: `glyphs` maps one character to its place, `words` maps a printed word. */
export interface Layout {
  id: string;
  locale: string;
  width: number;
  height: number;
  glyphs: Record<string, Point>;
  words: Record<string, BoardWord>;
  rest: Point;
}

export interface LayoutAnswer {
  success: true;
  data: Layout;
  meta: AnswerMeta;
}

/** `leave_session`: give the seat back. */
export type Leave = Record<string, never>;

/** What a client should know before it is refused: characters, bytes, per minute. */
export interface Limits {
  text_max: number;
  frame_max_bytes: number;
  messages_burst: number;
  messages_per_minute: number;
  frames_per_minute: number;
}

/** Who is connected now. */
export interface Live {
  sessions: number;
  people: number;
  sockets: number;
}

export interface MessageAnswer {
  success: true;
  data: AnswerData | MessageData;
  meta: AnswerMeta;
}

/** A message of a person; `timestamp` is when it was stored. */
export interface MessageData {
  id: string;
  session_id: string;
  /** The place in the log. */
  seq: number;
  /** Null for the spirit, and for an author who was erased. */
  user_id: string | null;
  /** The name at that moment; null for the spirit. */
  user_name: string | null;
  text: string;
  /** RFC 3339, UTC. */
  timestamp: string;
  is_spirit: boolean;
  client_msg_id: string | null;
  /** The question that an answer answers. */
  in_reply_to: string | null;
  /** Seen by people only. */
  off_record: boolean;
  deleted_at: string | null;
}

/** `message_deleted`: a message is gone; `by` is the user who took it away. */
export interface MessageDeleted {
  message_id: string;
  by: string | null;
}

/** `message_received`: a message, its text also as `message`. */
export interface MessageReceived {
  id: string;
  session_id: string;
  /** The place in the log. */
  seq: number;
  /** Null for the spirit, and for an author who was erased. */
  user_id: string | null;
  /** The name at that moment; null for the spirit. */
  user_name: string | null;
  text: string;
  /** RFC 3339, UTC. */
  timestamp: string;
  is_spirit: boolean;
  client_msg_id: string | null;
  /** The question that an answer answers. */
  in_reply_to: string | null;
  /** Seen by people only. */
  off_record: boolean;
  deleted_at: string | null;
  /** The same as `text`. */
  message: string;
}

/** One act of the planchette: it travels to (x, y), then dwells. `t_ms` is when the travel begins; the next move begins at t_ms + travel_ms + dwell_ms. `glyph` is null for pauses and for the way back to rest; `src` is the half-open slice of `source_text`. */
export interface Move {
  i: number;
  kind: "glyph" | "nudge" | "pause" | "rest" | "word";
  glyph: string | null;
  x: number;
  y: number;
  t_ms: number;
  travel_ms: number;
  dwell_ms: number;
  src: [number, number];
}

/** Whether a participant is muted from now on. */
export interface Mute {
  muted: boolean;
}

/** A guest. */
export interface NewGuest {
  /** At most 400 characters. */
  name: string;
}

/** A new invite: for how many people (no number: any), and for how many seconds. */
export interface NewInvite {
  max_uses?: number | null;
  /** Seconds. 60–31536000. */
  expires_in?: number;
}

/** A new password, with the token of the mail. */
export interface NewPassword {
  /** At most 2000 characters. */
  token: string;
  /** At most 1000 characters. */
  password: string;
}

/** Somebody in the session, or one of its messages, and why. */
export interface NewReport {
  reason: "danger" | "harassment" | "hate" | "other" | "sexual" | "spam";
  participant_id?: string | null;
  message_id?: string | null;
  /** At most 4000 characters. */
  note?: string;
}

/** The code that stood in the address of the page. */
export interface OAuthCode {
  /** At most 1000 characters. */
  code: string;
}

/** Where one can come in from; `url` is the link to follow. */
export interface OAuthProvider {
  name: string;
  title: string;
  url: string;
}

export interface OAuthProvidersAnswer {
  success: true;
  data: OAuthProvider[];
  meta: PageMeta;
}

/** The page to come back to, if any. */
export interface OAuthStart {
  /** At most 2000 characters. */
  next?: string;
}

/** The provider's address to go to, in the same browser. */
export interface OAuthWay {
  url: string;
}

export interface OAuthWayAnswer {
  success: true;
  data: OAuthWay;
  meta: AnswerMeta;
}

export interface OpenedSessionAnswer {
  success: true;
  data: SessionData;
  meta: HostMeta;
}

/** All sessions from `since` to `until`, both included, as they were last counted at `as_of` (null: never). */
export interface Overview {
  since: string;
  until: string;
  as_of: string | null;
  live: Live;
  total: Totals;
  days: DayFigures[];
}

export interface OverviewAnswer {
  success: true;
  data: Overview;
  meta: AnswerMeta;
}

/** Where a page stands in its list. */
export interface PageMeta {
  /** RFC 3339, UTC. */
  timestamp: string;
  page: number;
  per_page: number;
  total: number;
}

export interface ParticipantAnswer {
  success: true;
  data: ParticipantData;
  meta: AnswerMeta;
}

/** A person in a session. `looks_like` is the participant who sat there already with a name that reads the same. */
export interface ParticipantData {
  id: string;
  user_id: string;
  name: string;
  role: "host" | "observer" | "participant";
  /** RFC 3339, UTC. */
  joined_at: string;
  left_at: string | null;
  /** False while a seat is kept for somebody whose socket dropped. */
  is_present: boolean;
  is_muted: boolean;
  /** Who sat there already with a name that reads the same. */
  looks_like: string | null;
}

export interface ParticipantsAnswer {
  success: true;
  data: ParticipantData[];
  meta: PageMeta;
}

/** Who: the id that others see, and the name. */
export interface PersonRef {
  /** The user's id; null for a person who was erased. */
  id: string | null;
  name: string;
}

/** Centre of the lens, in layout units from the top left. */
export interface Point {
  x: number;
  y: number;
}

/** A message. */
export interface PostMessage {
  text: string;
  client_msg_id?: string | null;
  off_record?: boolean;
}

export interface PostedAnswer {
  success: true;
  data: MessageData;
  meta: PostedMeta;
}

/** `duplicate`: the message had been stored before, and this is it. `unanswered`: a code, where it was a question and the spirit will not answer it. */
export interface PostedMeta {
  /** RFC 3339, UTC. */
  timestamp: string;
  duplicate: boolean;
  unanswered?: string;
}

/** `question_merged`: the same was asked already, or a chorus gathers; turn `into` answers this one too. */
export interface QuestionMerged {
  turn_id: string;
  message_id: string;
  into: string;
}

/** `question_queued`: a question has to wait; `position` 1 is next. */
export interface QuestionQueued {
  turn_id: string;
  message_id: string;
  asker: PersonRef;
  /** 1 is next. */
  position: number;
}

/** `question_withdrawn`: something was asked that is not for the table; nothing of it was kept. */
export type QuestionWithdrawn = Record<string, never>;

/** A refresh token; only with `?transport=cookie` it may be left out, and the cookie's counts. */
export interface RefreshInput {
  /** At most 1000 characters. */
  refresh?: string;
}

/** `refresh_token`: a new access token of the same user, on the open socket. */
export interface RefreshToken {
  /** An access token of the same user. At most 4096 characters. */
  token: string;
}

/** A new account. */
export interface Register {
  /** At most 254 characters. */
  email: string;
  /** At most 1000 characters. */
  password: string;
  /** At most 400 characters. */
  name: string;
}

export interface ReportAnswer {
  success: true;
  data: ReportData;
  meta: AnswerMeta;
}

/** A report, as staff see it. `user_id` and `name` are those of who was reported. */
export interface ReportData {
  id: string;
  reason: string;
  /** RFC 3339, UTC. */
  created_at: string;
  state: string;
  session_id: string;
  reporter_id: string | null;
  participant_id: string | null;
  user_id: string | null;
  name: string | null;
  message: ReportedMessage | null;
  note: string;
  closed_at: string | null;
  closed_by: string | null;
}

/** A report, as whoever made it sees it. */
export interface ReportMade {
  id: string;
  reason: string;
  /** RFC 3339, UTC. */
  created_at: string;
  state: string;
}

export interface ReportMadeAnswer {
  success: true;
  data: ReportMade;
  meta: AnswerMeta;
}

export interface ReportPage {
  success: true;
  data: ReportData[];
  meta: PageMeta;
}

/** A message that was reported, deleted or not. */
export interface ReportedMessage {
  id: string;
  seq: number;
  user_name: string | null;
  text: string;
  is_spirit: boolean;
  deleted_at: string | null;
}

/** A mail is on its way to the address, whoever has it. */
export interface ResetSent {
  reset_sent?: true;
}

export interface ResetSentAnswer {
  success: true;
  data: ResetSent;
  meta: AnswerMeta;
}

/** Where a client's copy of the log ends. */
export interface Resume {
  /** `epoch` of the last `welcome`. At most 64 characters. */
  epoch: string;
  /** The highest `seq` that this client has. */
  after_seq: number;
}

/** `resumed`: the events after `from` up to `to` were sent again, `count` of them. */
export interface Resumed {
  from: number;
  to: number;
  count: number;
}

/** `resync_required`: what was missed cannot be sent again; read the history. */
export interface ResyncRequired {
  reason: "epoch_changed" | "position_unknown" | "too_far_behind";
}

/** The refresh token and all that came of it are worth nothing. */
export interface Revoked {
  revoked?: true;
}

export interface RevokedAnswer {
  success: true;
  data: Revoked;
  meta: AnswerMeta;
}

/** `safety_notice`: out of character, to the author only, in place of an `ack`: nothing was stored or shown. */
export interface SafetyNotice {
  kind: string;
  text: string;
  links: string[];
}

/** `send_message`; the text may come as `text` or as `message`. */
export interface SendMessage {
  /** 1–500 characters after NFC and strip; either this or `message`. */
  text?: string;
  /** The same as `text`, which wins where both are given. */
  message?: string;
  /** 1–64 printable ASCII characters, unique per session and author, for ever. */
  client_msg_id?: string | null;
  /** Seen by people, never sent to the spirit, not in transcripts. */
  off_record?: boolean;
}

export interface SessionAnswer {
  success: true;
  data: SessionData;
  meta: AnswerMeta;
}

/** `session_updated` and `session_ended`: the session as it is now. */
export interface SessionChanged {
  session: SessionData;
}

/** A session. `participant_count` counts the seats that are taken; observers take none. */
export interface SessionData {
  id: string;
  name: string;
  /** RFC 3339, UTC. */
  created_at: string;
  max_users: number;
  is_active: boolean;
  ended_at: string | null;
  host_id: string | null;
  access: "invite" | "members" | "open";
  is_listed: boolean;
  /** Seats that are taken; observers take none. */
  participant_count: number;
  /** Where the log ends. */
  last_seq: number;
  spirit: SpiritSettings;
  /** Whether nobody new is let in. */
  is_locked: boolean;
}

/** One session on one day. */
export interface SessionDay {
  people: number;
  messages: number;
  messages_per_person: number | null;
  questions: number;
  answers: number;
  degraded: number;
  failed: number;
  answer_latency: Latency;
  invites: number;
  invites_used: number;
  invite_joins: number;
  ack: Latency;
  delivery: Latency;
  day: string;
}

/** One session, as it was last counted at `as_of`; null: not yet, and all the numbers are those of nothing. `duration_ms` is up to its end or to `as_of`, and `mean_people` over that time. */
export interface SessionFigures {
  people: number;
  messages: number;
  messages_per_person: number | null;
  questions: number;
  answers: number;
  degraded: number;
  failed: number;
  answer_latency: Latency;
  invites: number;
  invites_used: number;
  invite_joins: number;
  ack: Latency;
  delivery: Latency;
  session_id: string;
  as_of: string | null;
  /** RFC 3339, UTC. */
  started_at: string;
  ended_at: string | null;
  duration_ms: number | null;
  present: number;
  peak_people: number;
  mean_people: number | null;
  days: SessionDay[];
}

export interface SessionFiguresAnswer {
  success: true;
  data: SessionFigures;
  meta: AnswerMeta;
}

export interface SessionPage {
  success: true;
  data: SessionData[];
  meta: PageMeta;
}

/** A participant's new role; `host` hands the host's seat over. */
export interface SetRole {
  role: "host" | "observer" | "participant";
}

/** A person, an access token, and the refresh token that gets the next pair; it works once. */
export interface SignedIn {
  user: UserData;
  access: string;
  refresh: string;
}

export interface SignedInAnswer {
  success: true;
  data: SignedIn | SignedInByCookie;
  meta: AnswerMeta;
}

/** A person whose tokens were set as cookies; `csrf_token` is what `X-CSRFToken` must say from now on. */
export interface SignedInByCookie {
  user: UserData;
  csrf_token: string;
}

export interface SpiritAnswer {
  success: true;
  data: SpiritCard;
  meta: AnswerMeta;
}

/** `spirit_cancelled`: a turn ended without an answer because somebody wanted it so. */
export interface SpiritCancelled {
  turn_id: string;
  message_id: string;
  by: string | null;
}

/** A published persona. `digest` is that of its content; `statement` says what it is, so that nobody takes it for a person. */
export interface SpiritCard {
  slug: string;
  name: string;
  version: number;
  locale: string;
  summary: string;
  audience: "adults" | "everyone";
  digest: string;
  is_ai: true;
  statement: string;
}

/** `spirit_failed`: a turn ended without an answer; `code` says why. */
export interface SpiritFailed {
  turn_id: string;
  message_id: string;
  code: string;
}

/** Which spirit, when, how fast; what is left out stays as it is. */
export interface SpiritInput {
  /** The slug of a published persona. */
  persona?: string;
  mode?: "chorus" | "circle" | "off" | "open" | "summoned";
  pace?: "brisk" | "instant" | "ritual";
  /** Its language. */
  locale?: string;
  warmth?: number | null;
  riddling?: number | null;
  menace?: number | null;
  /** At most 400 characters. */
  theme?: string;
}

/** `spirit_move`: the next moves of the planchette; `t_ms` in them counts from `starts_at`. */
export interface SpiritMove {
  turn_id: string;
  /** `t_ms` of the moves counts from here, on the server's clock. RFC 3339, UTC. */
  starts_at: string;
  moves: Move[];
}

/** `spirit_response`: an answer, its text also as `message`, and the turn that it ends. */
export interface SpiritResponse {
  id: string;
  session_id: string;
  /** The place in the log. */
  seq: number;
  /** Null for the spirit, and for an author who was erased. */
  user_id: string | null;
  /** The name at that moment; null for the spirit. */
  user_name: string | null;
  text: string;
  /** RFC 3339, UTC. */
  timestamp: string;
  is_spirit: boolean;
  client_msg_id: string | null;
  /** The question that an answer answers. */
  in_reply_to: string | null;
  /** Seen by people only. */
  off_record: boolean;
  deleted_at: string | null;
  board_script: BoardScript;
  /** 50–500 ms for each character of `text`. */
  letter_timings: number[];
  /** At most 30. */
  word_count: number;
  /** Always null. */
  audio_url: string | null;
  source: "oracle" | "llm" | "cache";
  /** Null, or why this is not what the first provider would have said: provider_down, timeout, budget, filtered. */
  degraded: string | null;
  starts_at: string | null;
  /** The same as `text`. */
  message: string;
  turn_id: string | null;
}

/** Which spirit comes to a session, when it answers, and how fast its planchette moves. Its language, the dials (0–100) and the theme are there where the host has set them. */
export interface SpiritSettings {
  persona: string;
  mode: "chorus" | "circle" | "off" | "open" | "summoned";
  pace: "brisk" | "instant" | "ritual";
  locale?: string;
  warmth?: number;
  riddling?: number;
  menace?: number;
  theme?: string;
}

/** `spirit_thinking`: a turn begins. */
export interface SpiritThinking {
  turn_id: string;
  message_id: string;
  asker: PersonRef;
  persona: string;
}

/** `spirit_voice`: one sentence of an answer that is still being made. */
export interface SpiritVoice {
  turn_id: string;
  text: string;
}

export interface SpiritsAnswer {
  success: true;
  data: SpiritCard[];
  meta: PageMeta;
}

/** `token_expiring` and `token_refreshed`: how long the token of this socket is still good. */
export interface TokenExpiring {
  expires_in_ms: number;
}

/** All sessions. `returning` are those of `people` who were there again on one of the seven days after such a day. `mean_duration_ms`, `mean_people` and `peak_people` are those of the sessions that ended. */
export interface Totals {
  people: number;
  messages: number;
  messages_per_person: number | null;
  questions: number;
  answers: number;
  degraded: number;
  failed: number;
  answer_latency: Latency;
  invites: number;
  invites_used: number;
  invite_joins: number;
  ack: Latency;
  delivery: Latency;
  returning: number;
  sessions_opened: number;
  sessions_ended: number;
  mean_duration_ms: number | null;
  mean_people: number | null;
  peak_people: number;
}

/** A session's messages from the first to the last, those off the record and the deleted ones left out. `statement` says what the spirit is. */
export interface Transcript {
  session: SessionData;
  statement: string;
  messages: Array<AnswerData | MessageData>;
}

/** `cancel_question` and `ask_again`: asker and host. */
export interface TurnCommand {
  turn_id: string;
}

/** A turn that is being answered; with `starts_at` a late joiner finds the planchette where it is. */
export interface TurnData {
  turn_id: string;
  message_id: string;
  asker: PersonRef;
  persona: string;
  started_at: string | null;
  starts_at?: string | null;
}

/** `typing`: this user types, or does no more. */
export interface Typing {
  is_typing?: boolean;
}

/** The provider that is no way in any more. */
export interface Untied {
  provider: string;
}

export interface UntiedAnswer {
  success: true;
  data: Untied;
  meta: AnswerMeta;
}

/** Changes of oneself; what is left out stays as it is. */
export interface UpdateMe {
  /** At most 400 characters. */
  name?: string;
}

/** Changes of a session; what is left out stays as it is. */
export interface UpdateSession {
  /** 1–100 characters after NFC and strip. At most 400 characters. */
  name?: string;
  /** Seats; the upper bound is the setting MAX_USERS_LIMIT. 2–1000. */
  max_users?: number;
  access?: "invite" | "members" | "open";
  is_listed?: boolean;
  is_locked?: boolean;
  spirit?: SpiritInput;
}

/** The account that a guest becomes; without a name the guest's. */
export interface Upgrade {
  /** At most 254 characters. */
  email: string;
  /** At most 1000 characters. */
  password: string;
  name?: string | null;
}

export interface UserAnswer {
  success: true;
  data: UserData;
  meta: AnswerMeta;
}

/** A person, as that person may see it. */
export interface UserData {
  id: string;
  name: string;
  /** RFC 3339, UTC. */
  joined_at: string;
  is_guest: boolean;
}

/** `user_joined`: somebody took a place; `id` is the user's, `looks_like` as in `ParticipantData`. */
export interface UserJoined {
  /** The user's id. */
  id: string;
  participant_id: string;
  name: string;
  /** RFC 3339, UTC. */
  joined_at: string;
  role: "host" | "observer" | "participant";
  /** Who sat there already with a name that reads the same. */
  looks_like: string | null;
}

/** `user_left`: somebody gave a place back, or lost it. */
export interface UserLeft {
  id: string;
  participant_id: string;
  name: string;
  /** RFC 3339, UTC. */
  joined_at: string;
  role: "host" | "observer" | "participant";
  reason: "kicked" | "left" | "session_ended" | "timeout";
}

/** `user_typing`: everybody who types now, and the name of who began last. */
export interface UserTyping {
  users: PersonRef[];
  /** Who began last; null where nobody types. */
  user: string | null;
}

/** A mail is on its way to the address, whoever has it. */
export interface VerificationSent {
  verification_sent?: true;
}

export interface VerificationSentAnswer {
  success: true;
  data: VerificationSent;
  meta: AnswerMeta;
}

/** The token of a verification mail. */
export interface VerifyInput {
  /** At most 2000 characters. */
  token: string;
}

/** `welcome`: the whole state, at position `seq` of log `epoch`. */
export interface Welcome {
  session: SessionData;
  participant: ParticipantData;
  connection_id: string;
  epoch: string;
  /** Everything after this comes as events. */
  seq: number;
  participants: ParticipantData[];
  spirit: WelcomeSpirit;
  /** The latest messages, oldest first. */
  recent: Array<AnswerData | MessageData>;
  limits: Limits;
  /** How often to send `heartbeat`. */
  heartbeat_ms: number;
  /** RFC 3339, UTC. */
  server_time: string;
}

/** What the spirit does at the moment, the questions that wait, next one first, and in a circle who may ask. */
export interface WelcomeSpirit {
  turn: TurnData | null;
  queue?: QuestionQueued[];
  merged?: QuestionMerged[];
  circle?: CircleTurn | null;
}
