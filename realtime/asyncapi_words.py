"""realtime, what the documents say about events, fields and close codes beyond what the structs say themselves.

Whatever has no words here is described by its struct's docstring, so that a new event needs none.
"""

from typing import Any, NamedTuple

from sessions_app.text import CLIENT_MSG_ID_MAX, TEXT_MAX, USER_NAME_MAX

# What a client's event does, who may send it, and what comes back.
CLIENT_WORDS: dict[str, str] = {
    "join_session": "Joins the session: the first frame of every socket. Answered by `user_joined` and `welcome`.",
    "leave_session": "Gives the seat back at once; the server closes the socket with 1000.",
    "send_message": "Says something. `ack` comes after COMMIT if `ref` or `client_msg_id` was given; then `error` with "
    "`QUEUE_FULL` and the same `ref`, where the message stands and the spirit will not answer it.",
    "typing": "Says that this user types, or does no more. Expires after 8 s; `FORBIDDEN` for who may not speak.",
    "delete_message": "Takes a message away: its author, the host, staff. Everybody gets `message_deleted`.",
    "cancel_question": "Ends a turn that waits or is being answered: who asked, the host, staff.",
    "ask_again": "Asks an ended turn's question once more: who asked, the host, staff. The old answer stays.",
    "kick_user": "Sends somebody away for good: the host, staff. Everybody gets `user_left` with the reason `kicked`.",
    "end_session": "Ends the session for good: the host, staff. Everybody gets `session_ended`, and close code 4505.",
    "update_session": "Changes the session: the host, staff. What is left out stays as it is.",
    "refresh_token": "Puts a new access token of the same user in the old one's place.",
    "heartbeat": "Says how far this client has come; a server that is behind its own client reads on.",
}

# What a server's event means, and what follows from it.
SERVER_WORDS: dict[str, str] = {
    "message_received": "Somebody said something.",
    "message_deleted": "A message is gone: take it off the screen. History and replay leave it out from now on.",
    "spirit_response": "The spirit has answered; the turn is over.",
    "spirit_cancelled": "A turn ended without an answer: it was cancelled, or its question was deleted.",
    "spirit_failed": "A turn ended without an answer; `code` says why.",
    "session_updated": "The session was changed.",
    "session_ended": "The session is over. Close code 4505 follows.",
    "user_joined": "Somebody took a place. A joiner gets a copy as the first frame, with every further socket too.",
    "user_left": "Somebody gave the place back, or lost it.",
    "user_typing": "Everybody who types now: the whole set, at each change.",
    "question_queued": "A question has to wait. Told again when its place changes.",
    "question_merged": "The same was asked already, or a chorus gathers: turn `into` answers this question too.",
    "question_withdrawn": "Somebody asked what is not for the table. Nothing of it was kept, and nobody is named.",
    "circle_turn": "In a circle: who may ask now, and until when. Told when that changes.",
    "safety_notice": "Out of character, to the author alone, in place of an `ack`: nothing was stored or shown.",
    "spirit_thinking": "A turn begins. Another attempt (a server was lost, or a text that was heard is gone) begins it "
    "again: forget its moves and sentences.",
    "spirit_move": "The next moves of the planchette, shortly before they are due; to a joiner, those so far.",
    "spirit_voice": "One sentence of an answer that is still being made. The whole text comes with `spirit_response`.",
    "welcome": "You are in: the whole state at position `seq` of log `epoch`.",
    "resumed": "Everything that was missed has been sent again, just before this.",
    "resync_required": "What was missed is not sent again: read the history. The socket goes on from `welcome.seq`.",
    "ack": "Your message is stored. Never sent before COMMIT.",
    "error": "Something was refused. The socket stays open unless a close follows.",
    "heartbeat": "The position of the log and the server's clock.",
    "token_expiring": "The token of this socket expires soon: send `refresh_token`, or be closed with 4001.",
    "token_refreshed": "The new token was taken.",
    "goodbye": "The server stops, or wants you to reconnect; 4006 follows. Come back after `reconnect_after_ms`.",
}

# Answers that carry the `ref` of the frame they answer.
ECHOES = frozenset({"welcome", "ack", "safety_notice", "error", "heartbeat", "token_refreshed"})
# What a client's event may be answered by, besides `error`.
REPLIES: dict[str, tuple[str, ...]] = {
    "join_session": ("user_joined", "welcome", "resumed", "resync_required"),
    "send_message": ("ack", "safety_notice"),
    "heartbeat": ("heartbeat",),
    "refresh_token": ("token_refreshed",),
}

# JSON Schema beside the type, by "Struct.field": words, and bounds that are checked after decoding.
FIELD_WORDS: dict[str, dict[str, Any]] = {
    "Join.name": {"description": f"How the others see you: 1–{USER_NAME_MAX} characters; `Anonymous` if missing."},
    "Join.user_id": {
        "description": "A guest's own secret; the id that others see is derived from it. Ignored beside a token."
    },
    "Join.token": {"description": "An access token, where none came with the handshake."},
    "Join.invite": {"description": "The code of an invite, for a session that one may not know of otherwise."},
    "Join.role": {"description": "`observer` reads and takes no seat; only the host may be `host`."},
    "Join.resume": {"description": "Send again what came after this position."},
    "Join.batch": {
        "description": "Events that are written together come in one frame, a JSON array of at most 50; one event "
        "alone stays an object."
    },
    "Resume.epoch": {"description": "`epoch` of the last `welcome`."},
    "Resume.after_seq": {"description": "The highest `seq` that this client has."},
    "SendMessage.text": {
        "description": f"1–{TEXT_MAX} characters after NFC and strip; either this or `message`.",
    },
    "SendMessage.message": {"description": "The same as `text`, which wins where both are given."},
    "SendMessage.client_msg_id": {
        "description": f"1–{CLIENT_MSG_ID_MAX} printable ASCII characters, unique per session and author, for ever.",
    },
    "SendMessage.off_record": {"description": "Seen by people, never sent to the spirit, not in transcripts."},
    "UpdateSession.name": {"description": "1–100 characters after NFC and strip."},
    "Heartbeat.last_seq": {"description": "The highest `seq` that this client has."},
    "RefreshToken.token": {"description": "An access token of the same user."},
    "SpiritInput.persona": {"description": "The slug of a published persona."},
    "MessageData.seq": {"description": "The place in the log."},
    "MessageData.user_id": {"description": "Null for the spirit, and for an author who was erased."},
    "MessageData.user_name": {"description": "The name at that moment; null for the spirit."},
    "MessageData.in_reply_to": {"description": "The question that an answer answers."},
    "MessageData.off_record": {"description": "Seen by people only."},
    "AnswerData.letter_timings": {"description": "50–500 ms for each character of `text`."},
    "AnswerData.word_count": {"description": "At most 30."},
    "AnswerData.audio_url": {"description": "Always null."},
    "AnswerData.source": {"enum": ["oracle", "llm", "cache"]},
    "AnswerData.degraded": {
        "description": "Null, or why this is not what the first provider would have said: "
        "provider_down, timeout, budget, filtered."
    },
    "MessageReceived.message": {"description": "The same as `text`."},
    "SpiritResponse.message": {"description": "The same as `text`."},
    "UserJoined.id": {"description": "The user's id."},
    "PersonRef.id": {"description": "The user's id; null for a person who was erased."},
    "UserTyping.user": {"description": "Who began last; null where nobody types."},
    "QuestionQueued.position": {"description": "1 is next."},
    "SpiritMove.starts_at": {"description": "`t_ms` of the moves counts from here, on the server's clock."},
    "SessionData.participant_count": {"description": "Seats that are taken; observers take none."},
    "ParticipantData.looks_like": {"description": "Who sat there already with a name that reads the same."},
    "UserJoined.looks_like": {"description": "Who sat there already with a name that reads the same."},
    "SessionData.is_locked": {"description": "Whether nobody new is let in."},
    "SessionData.last_seq": {"description": "Where the log ends."},
    "ParticipantData.is_present": {"description": "False while a seat is kept for somebody whose socket dropped."},
    "Ack.duplicate": {"description": "True where the message had been stored before."},
    "ErrorData.details": {"description": "Of `VALIDATION_ERROR`: field → list of messages."},
    "Welcome.seq": {"description": "Everything after this comes as events."},
    "Welcome.recent": {"description": "The latest messages, oldest first."},
    "Welcome.heartbeat_ms": {"description": "How often to send `heartbeat`."},
    "Goodbye.last_seq": {"description": "The last `seq` that this socket was given."},
}


class Close(NamedTuple):
    """What a close code means. `comes_back`: whether a client should reconnect."""

    meaning: str
    comes_back: bool


CLOSE_CODES: dict[int, Close] = {
    1000: Close("The client left, by `leave_session` or by a clean close of its own.", comes_back=False),
    1007: Close("A text frame was not UTF-8.", comes_back=False),
    1009: Close("A frame was larger than 65,536 bytes.", comes_back=False),
    1011: Close("The server underneath failed.", comes_back=True),
    1012: Close("The server stopped before the socket had joined.", comes_back=True),
    4000: Close("A server error, the database away at a join, or the server was taken for dead.", comes_back=True),
    4001: Close("The access token expired, or the password was changed: come back with a new one.", comes_back=True),
    4002: Close("The client read too slowly.", comes_back=True),
    4003: Close("Heartbeat timeout: no answer to a ping within 20 seconds.", comes_back=True),
    4005: Close("Rate limited: too many sockets or joins from one address.", comes_back=True),
    4006: Close("The server stops, or wants you to reconnect. `goodbye` has said when to come back.", comes_back=True),
    4008: Close("Every seat is taken.", comes_back=True),
    4500: Close("Unauthorized: no token where one is needed, a bad one, or one in the URL.", comes_back=False),
    4501: Close("Forbidden.", comes_back=False),
    4502: Close("Too many bad frames within a minute.", comes_back=False),
    4503: Close("Sent away for good: banned, or no longer wanted by the host.", comes_back=False),
    4505: Close("The session has ended.", comes_back=False),
    4506: Close("There is no such session, or none that the caller may know of.", comes_back=False),
    4507: Close("The same user opened too many sockets; this was the oldest.", comes_back=False),
    4510: Close("No join within the wait.", comes_back=False),
    4511: Close("Unsupported version: no subprotocol `seance.v…` that was offered is ours.", comes_back=False),
}
