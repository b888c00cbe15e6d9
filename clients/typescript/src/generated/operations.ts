// Written by `npm run generate` from the OpenAPI and AsyncAPI documents. Do not edit.

import type {
  AccountAnswer,
  ChangePassword,
  CloseReport,
  CreateSession,
  Credentials,
  EmailInput,
  HistoryAnswer,
  InviteAnswer,
  InviteEndAnswer,
  LayoutAnswer,
  MessageAnswer,
  Mute,
  NewGuest,
  NewInvite,
  NewPassword,
  NewReport,
  OAuthCode,
  OAuthProvidersAnswer,
  OAuthStart,
  OAuthWayAnswer,
  OpenedSessionAnswer,
  OverviewAnswer,
  ParticipantAnswer,
  ParticipantsAnswer,
  PostMessage,
  PostedAnswer,
  RefreshInput,
  Register,
  ReportAnswer,
  ReportMadeAnswer,
  ReportPage,
  ResetSentAnswer,
  RevokedAnswer,
  SessionAnswer,
  SessionFiguresAnswer,
  SessionPage,
  SetRole,
  SignedInAnswer,
  SpiritAnswer,
  SpiritsAnswer,
  Transcript,
  UntiedAnswer,
  UpdateMe,
  UpdateSession,
  Upgrade,
  UserAnswer,
  VerificationSentAnswer,
  VerifyInput,
} from './schemas.js';

/** Where each operation is. */
export const OPERATIONS = {
  listSessions: { method: 'GET', path: '/api/sessions', query: ['is_active', 'ordering', 'page', 'per_page', 'search'] },
  createSession: { method: 'POST', path: '/api/sessions', query: [] },
  getSession: { method: 'GET', path: '/api/sessions/{session_id}', query: ['invite'] },
  updateSession: { method: 'PATCH', path: '/api/sessions/{session_id}', query: [] },
  endSession: { method: 'DELETE', path: '/api/sessions/{session_id}', query: [] },
  getHistory: { method: 'GET', path: '/api/sessions/{session_id}/history', query: ['after_seq', 'before_seq', 'invite', 'limit'] },
  postMessage: { method: 'POST', path: '/api/sessions/{session_id}/messages', query: [] },
  deleteMessage: { method: 'DELETE', path: '/api/sessions/{session_id}/messages/{message_id}', query: [] },
  listParticipants: { method: 'GET', path: '/api/sessions/{session_id}/participants', query: ['invite'] },
  streamEvents: { method: 'GET', path: '/api/sessions/{session_id}/events', query: ['invite'] },
  kickParticipant: { method: 'POST', path: '/api/sessions/{session_id}/participants/{participant_id}/kick', query: [] },
  muteParticipant: { method: 'POST', path: '/api/sessions/{session_id}/participants/{participant_id}/mute', query: [] },
  setParticipantRole: { method: 'POST', path: '/api/sessions/{session_id}/participants/{participant_id}/role', query: [] },
  createInvite: { method: 'POST', path: '/api/sessions/{session_id}/invites', query: [] },
  revokeInvite: { method: 'DELETE', path: '/api/sessions/{session_id}/invites/{code}', query: [] },
  createReport: { method: 'POST', path: '/api/sessions/{session_id}/reports', query: [] },
  listReports: { method: 'GET', path: '/api/reports', query: ['page', 'per_page', 'state'] },
  closeReport: { method: 'PATCH', path: '/api/reports/{report_id}', query: [] },
  banUser: { method: 'POST', path: '/api/users/{user_id}/ban', query: [] },
  unbanUser: { method: 'POST', path: '/api/users/{user_id}/unban', query: [] },
  getTranscript: { method: 'GET', path: '/api/sessions/{session_id}/transcript', query: ['format', 'invite'] },
  getOverview: { method: 'GET', path: '/api/analytics/overview', query: ['since', 'until'] },
  getSessionFigures: { method: 'GET', path: '/api/analytics/sessions/{session_id}', query: [] },
  listSpirits: { method: 'GET', path: '/api/spirits', query: [] },
  getSpirit: { method: 'GET', path: '/api/spirits/{slug}', query: [] },
  getLayout: { method: 'GET', path: '/api/board/layouts/{layout_id}', query: [] },
  createGuest: { method: 'POST', path: '/api/auth/guest', query: ['transport'] },
  register: { method: 'POST', path: '/api/auth/register', query: ['transport'] },
  verifyAddress: { method: 'POST', path: '/api/auth/verify', query: ['transport'] },
  logIn: { method: 'POST', path: '/api/auth/token', query: ['transport'] },
  refreshToken: { method: 'POST', path: '/api/auth/token/refresh', query: ['transport'] },
  revokeToken: { method: 'POST', path: '/api/auth/token/revoke', query: ['transport'] },
  getAccount: { method: 'GET', path: '/api/auth/account', query: [] },
  changePassword: { method: 'POST', path: '/api/auth/password', query: ['transport'] },
  requestPasswordReset: { method: 'POST', path: '/api/auth/password/reset', query: [] },
  resetPassword: { method: 'POST', path: '/api/auth/password/set', query: ['transport'] },
  upgradeGuest: { method: 'POST', path: '/api/auth/upgrade', query: ['transport'] },
  listOAuthProviders: { method: 'GET', path: '/api/auth/oauth', query: [] },
  beginOAuth: { method: 'GET', path: '/api/auth/oauth/{provider}', query: ['next', 'transport'] },
  prepareOAuth: { method: 'POST', path: '/api/auth/oauth/{provider}', query: ['transport'] },
  untieOAuth: { method: 'DELETE', path: '/api/auth/oauth/{provider}', query: [] },
  finishOAuth: { method: 'GET', path: '/api/auth/oauth/{provider}/callback', query: ['code', 'error', 'iss', 'state'] },
  exchangeOAuthCode: { method: 'POST', path: '/api/auth/oauth/{provider}/token', query: ['transport'] },
  getMe: { method: 'GET', path: '/api/auth/me', query: [] },
  updateMe: { method: 'PATCH', path: '/api/auth/me', query: [] },
  eraseMe: { method: 'DELETE', path: '/api/auth/me', query: [] },
} as const;

/** What each operation takes and answers with. */
export interface Operations {
  /** List sessions */
  listSessions: {
    query: {
      /** Only those that go on, or only those that ended. */
      is_active?: boolean;
      /** The order. */
      ordering?: "-created_at" | "created_at" | "name" | "-name";
      /** From 1; a page past the end is a 404. */
      page?: number;
      /** Rows of a page. 1–100. */
      per_page?: number;
      /** Part of a name, in any case. */
      search?: string;
    };
    body: undefined;
    answer: SessionPage;
  };
  /** Open a session */
  createSession: {
    query: Record<string, never>;
    body: CreateSession;
    answer: OpenedSessionAnswer;
  };
  /** Read a session */
  getSession: {
    query: {
      /** The code of an invite into this session. At most 200 characters. */
      invite?: string;
    };
    body: undefined;
    answer: SessionAnswer;
  };
  /** Change a session */
  updateSession: {
    query: Record<string, never>;
    body: UpdateSession;
    answer: SessionAnswer;
  };
  /** End a session */
  endSession: {
    query: Record<string, never>;
    body: undefined;
    answer: SessionAnswer;
  };
  /** Read the messages of a session */
  getHistory: {
    query: {
      /** Only messages after this position: the first `limit` of them. */
      after_seq?: number;
      /** Only messages before this position. */
      before_seq?: number;
      /** The code of an invite into this session. At most 200 characters. */
      invite?: string;
      /** How many. 1–200. */
      limit?: number;
    };
    body: undefined;
    answer: HistoryAnswer;
  };
  /** Post a message */
  postMessage: {
    query: Record<string, never>;
    body: PostMessage;
    answer: PostedAnswer;
  };
  /** Take a message away */
  deleteMessage: {
    query: Record<string, never>;
    body: undefined;
    answer: MessageAnswer;
  };
  /** Who is and was there */
  listParticipants: {
    query: {
      /** The code of an invite into this session. At most 200 characters. */
      invite?: string;
    };
    body: undefined;
    answer: ParticipantsAnswer;
  };
  /** Follow the events of a session */
  streamEvents: {
    query: {
      /** The code of an invite into this session. At most 200 characters. */
      invite?: string;
    };
    body: undefined;
    answer: unknown;
  };
  /** Send somebody away */
  kickParticipant: {
    query: Record<string, never>;
    body: undefined;
    answer: ParticipantAnswer;
  };
  /** Mute somebody, or no more */
  muteParticipant: {
    query: Record<string, never>;
    body: Mute;
    answer: ParticipantAnswer;
  };
  /** Give somebody another role */
  setParticipantRole: {
    query: Record<string, never>;
    body: SetRole;
    answer: ParticipantAnswer;
  };
  /** Make an invite */
  createInvite: {
    query: Record<string, never>;
    body: NewInvite;
    answer: InviteAnswer;
  };
  /** Revoke an invite */
  revokeInvite: {
    query: Record<string, never>;
    body: undefined;
    answer: InviteEndAnswer;
  };
  /** Report somebody or a message */
  createReport: {
    query: Record<string, never>;
    body: NewReport;
    answer: ReportMadeAnswer;
  };
  /** Read the reports */
  listReports: {
    query: {
      /** From 1; a page past the end is a 404. */
      page?: number;
      /** Rows of a page. 1–100. */
      per_page?: number;
      /** Only those that stand like this. */
      state?: "open" | "acted" | "dismissed";
    };
    body: undefined;
    answer: ReportPage;
  };
  /** Say what became of a report */
  closeReport: {
    query: Record<string, never>;
    body: CloseReport;
    answer: ReportAnswer;
  };
  /** Ban somebody */
  banUser: {
    query: Record<string, never>;
    body: undefined;
    answer: UserAnswer;
  };
  /** Let somebody in again */
  unbanUser: {
    query: Record<string, never>;
    body: undefined;
    answer: UserAnswer;
  };
  /** Download the transcript */
  getTranscript: {
    query: {
      /** The kind of file. */
      format?: "txt" | "md" | "json" | "html";
      /** The code of an invite into this session. At most 200 characters. */
      invite?: string;
    };
    body: undefined;
    answer: Transcript;
  };
  /** Count all sessions, by day */
  getOverview: {
    query: {
      /** The first day, by default such that there are 30. */
      since?: string;
      /** The last day, at most 366 with the first; by default today. Days are UTC. */
      until?: string;
    };
    body: undefined;
    answer: OverviewAnswer;
  };
  /** Count one session, whole and by day */
  getSessionFigures: {
    query: Record<string, never>;
    body: undefined;
    answer: SessionFiguresAnswer;
  };
  /** List the personas */
  listSpirits: {
    query: Record<string, never>;
    body: undefined;
    answer: SpiritsAnswer;
  };
  /** Read a persona */
  getSpirit: {
    query: Record<string, never>;
    body: undefined;
    answer: SpiritAnswer;
  };
  /** Read a board's coordinates */
  getLayout: {
    query: Record<string, never>;
    body: undefined;
    answer: LayoutAnswer;
  };
  /** Come in as a guest */
  createGuest: {
    query: {
      /** `cookie` sets the tokens as cookies in place of telling them. */
      transport?: "cookie";
    };
    body: NewGuest;
    answer: SignedInAnswer;
  };
  /** Make an account */
  register: {
    query: {
      /** `cookie` sets the tokens as cookies in place of telling them. */
      transport?: "cookie";
    };
    body: Register;
    answer: SignedInAnswer | VerificationSentAnswer;
  };
  /** Finish making an account */
  verifyAddress: {
    query: {
      /** `cookie` sets the tokens as cookies in place of telling them. */
      transport?: "cookie";
    };
    body: VerifyInput;
    answer: SignedInAnswer;
  };
  /** Come in with an account */
  logIn: {
    query: {
      /** `cookie` sets the tokens as cookies in place of telling them. */
      transport?: "cookie";
    };
    body: Credentials;
    answer: SignedInAnswer;
  };
  /** Get the next tokens */
  refreshToken: {
    query: {
      /** `cookie` sets the tokens as cookies in place of telling them. */
      transport?: "cookie";
    };
    body: RefreshInput;
    answer: SignedInAnswer;
  };
  /** Log out */
  revokeToken: {
    query: {
      /** `cookie` sets the tokens as cookies in place of telling them. */
      transport?: "cookie";
    };
    body: RefreshInput;
    answer: RevokedAnswer;
  };
  /** Read what one comes in with */
  getAccount: {
    query: Record<string, never>;
    body: undefined;
    answer: AccountAnswer;
  };
  /** Change the password */
  changePassword: {
    query: {
      /** `cookie` sets the tokens as cookies in place of telling them. */
      transport?: "cookie";
    };
    body: ChangePassword;
    answer: SignedInAnswer;
  };
  /** Ask for a new password */
  requestPasswordReset: {
    query: Record<string, never>;
    body: EmailInput;
    answer: ResetSentAnswer;
  };
  /** Set a new password */
  resetPassword: {
    query: {
      /** `cookie` sets the tokens as cookies in place of telling them. */
      transport?: "cookie";
    };
    body: NewPassword;
    answer: SignedInAnswer;
  };
  /** Make oneself, a guest, an account */
  upgradeGuest: {
    query: {
      /** `cookie` sets the tokens as cookies in place of telling them. */
      transport?: "cookie";
    };
    body: Upgrade;
    answer: SignedInAnswer | VerificationSentAnswer;
  };
  /** The OAuth providers */
  listOAuthProviders: {
    query: Record<string, never>;
    body: undefined;
    answer: OAuthProvidersAnswer;
  };
  /** Go to an OAuth provider */
  beginOAuth: {
    query: {
      /** The page to come back to: of an allowed origin, or a path here. At most 2000 characters. */
      next?: string;
      /** `cookie` sets the tokens as cookies in place of telling them. */
      transport?: "cookie";
    };
    body: undefined;
    answer: undefined;
  };
  /** Ask for the way to an OAuth provider */
  prepareOAuth: {
    query: {
      /** `cookie` sets the tokens as cookies in place of telling them. */
      transport?: "cookie";
    };
    body: OAuthStart;
    answer: OAuthWayAnswer;
  };
  /** Come in by an OAuth provider no more */
  untieOAuth: {
    query: Record<string, never>;
    body: undefined;
    answer: UntiedAnswer;
  };
  /** Come back from an OAuth provider */
  finishOAuth: {
    query: {
      /** What the provider gives. */
      code?: string;
      /** Why the provider gives nothing. */
      error?: string;
      /** Who gives it (RFC 9207). */
      iss?: string;
      /** What the provider was given. */
      state?: string;
    };
    body: undefined;
    answer: SignedInAnswer;
  };
  /** Get the tokens after an OAuth provider */
  exchangeOAuthCode: {
    query: {
      /** `cookie` sets the tokens as cookies in place of telling them. */
      transport?: "cookie";
    };
    body: OAuthCode;
    answer: SignedInAnswer;
  };
  /** Read oneself */
  getMe: {
    query: Record<string, never>;
    body: undefined;
    answer: UserAnswer;
  };
  /** Change oneself */
  updateMe: {
    query: Record<string, never>;
    body: UpdateMe;
    answer: UserAnswer;
  };
  /** Erase oneself */
  eraseMe: {
    query: Record<string, never>;
    body: undefined;
    answer: UserAnswer;
  };
}
