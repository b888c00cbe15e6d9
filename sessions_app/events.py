"""sessions_app, the kitchen: the shape of everything that is told to clients, written once.

REST answers with the same structs, the WebSocket, Server-Sent Events and replays carry them in frames, and both
generated documents (OpenAPI, AsyncAPI) are made from them. Times are aware datetimes in UTC, durations milliseconds.
Source: docs/protocol.md, sections 1.2 and 2.4.
"""

from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Struct, UnsetType

PresenceReason = Literal["left", "timeout", "kicked", "session_ended"]
RoleName = Literal["host", "participant", "observer"]


class SpiritSettings(Struct, frozen=True):
    """Which spirit comes to a session, when it answers, and how fast its planchette moves.

    Its language, the dials (0–100) and the theme are there where the host has set them.
    """

    persona: str
    mode: Literal["open", "summoned", "circle", "chorus", "off"]
    pace: Literal["ritual", "brisk", "instant"]
    locale: str | UnsetType = UNSET
    warmth: int | UnsetType = UNSET
    riddling: int | UnsetType = UNSET
    menace: int | UnsetType = UNSET
    theme: str | UnsetType = UNSET


class SessionData(Struct, frozen=True):
    """A session. `participant_count` counts the seats that are taken; observers take none."""

    id: UUID
    name: str
    created_at: datetime
    max_users: int
    is_active: bool
    ended_at: datetime | None
    host_id: UUID | None
    access: Literal["open", "members", "invite"]
    is_listed: bool
    participant_count: int
    last_seq: int
    spirit: SpiritSettings
    is_locked: bool


class UserData(Struct, frozen=True):
    """A person, as that person may see it."""

    id: UUID
    name: str
    joined_at: datetime
    is_guest: bool


class ParticipantData(Struct, frozen=True):
    """A person in a session. `looks_like` is the participant who sat there already with a name that reads the same."""

    id: UUID
    user_id: UUID
    name: str
    role: RoleName
    joined_at: datetime
    left_at: datetime | None
    is_present: bool
    is_muted: bool
    looks_like: UUID | None


class MessageData(Struct):
    """A message of a person; `timestamp` is when it was stored."""

    id: UUID
    session_id: UUID
    seq: int
    user_id: UUID | None
    user_name: str | None
    text: str
    timestamp: datetime
    is_spirit: bool
    client_msg_id: str | None
    in_reply_to: UUID | None
    off_record: bool
    deleted_at: datetime | None


class AnswerData(MessageData):
    """A message of the spirit. `letter_timings`: one integer of 50–500 ms for each character of `text`. `starts_at`:
    when the planchette began, or begins, to spell `board_script`; null where nobody was shown it."""

    board_script: dict[str, Any]
    letter_timings: list[int]
    word_count: int
    audio_url: str | None
    source: str
    degraded: str | None
    starts_at: datetime | None


class MessageReceived(MessageData):
    """`message_received`: a message, its text also as `message`."""

    message: str


class SpiritResponse(AnswerData):
    """`spirit_response`: an answer, its text also as `message`, and the turn that it ends."""

    message: str
    turn_id: UUID | None


class PersonRef(Struct, frozen=True):
    """Who: the id that others see, and the name."""

    id: UUID | None
    name: str


class UserJoined(Struct, frozen=True):
    """`user_joined`: somebody took a place; `id` is the user's, `looks_like` as in `ParticipantData`."""

    id: UUID
    participant_id: UUID
    name: str
    joined_at: datetime
    role: RoleName
    looks_like: UUID | None


class UserLeft(Struct, frozen=True):
    """`user_left`: somebody gave a place back, or lost it."""

    id: UUID
    participant_id: UUID
    name: str
    joined_at: datetime
    role: RoleName
    reason: PresenceReason


class UserTyping(Struct, frozen=True):
    """`user_typing`: everybody who types now, and the name of who began last."""

    users: list[PersonRef]
    user: str | None


class MessageDeleted(Struct, frozen=True):
    """`message_deleted`: a message is gone; `by` is the user who took it away."""

    message_id: UUID
    by: UUID | None


class QuestionQueued(Struct, frozen=True):
    """`question_queued`: a question has to wait; `position` 1 is next."""

    turn_id: UUID
    message_id: UUID
    asker: PersonRef
    position: int


class QuestionMerged(Struct, frozen=True):
    """`question_merged`: the same was asked already, or a chorus gathers; turn `into` answers this one too."""

    turn_id: UUID
    message_id: UUID
    into: UUID


class QuestionWithdrawn(Struct, frozen=True):
    """`question_withdrawn`: something was asked that is not for the table; nothing of it was kept."""


class CircleTurn(Struct, frozen=True):
    """`circle_turn`: in a circle this person may ask now, until `until`; then the next one may."""

    user: PersonRef
    until: datetime


class SafetyNotice(Struct, frozen=True):
    """`safety_notice`: out of character, to the author only, in place of an `ack`: nothing was stored or shown."""

    kind: str
    text: str
    links: list[str]


class SpiritThinking(Struct, frozen=True):
    """`spirit_thinking`: a turn begins."""

    turn_id: UUID
    message_id: UUID
    asker: PersonRef
    persona: str


class SpiritMove(Struct, frozen=True):
    """`spirit_move`: the next moves of the planchette; `t_ms` in them counts from `starts_at`."""

    turn_id: UUID
    starts_at: datetime
    moves: list[dict[str, Any]]


class SpiritVoice(Struct, frozen=True):
    """`spirit_voice`: one sentence of an answer that is still being made."""

    turn_id: UUID
    text: str


class SpiritCancelled(Struct, frozen=True):
    """`spirit_cancelled`: a turn ended without an answer because somebody wanted it so."""

    turn_id: UUID
    message_id: UUID
    by: UUID | None


class SpiritFailed(Struct, frozen=True):
    """`spirit_failed`: a turn ended without an answer; `code` says why."""

    turn_id: UUID
    message_id: UUID
    code: str


class SessionChanged(Struct, frozen=True):
    """`session_updated` and `session_ended`: the session as it is now."""

    session: SessionData


class Ack(Struct, frozen=True):
    """`ack`: a message is stored. It is sent only after COMMIT."""

    id: UUID
    seq: int
    client_msg_id: str | None
    duplicate: bool


class ErrorData(Struct, frozen=True, omit_defaults=True):
    """`error`: something was refused; the socket stays open unless a close follows."""

    code: str
    message: str
    retryable: bool
    details: dict[str, Any] = {}
    retry_after_ms: int | None = None


class Limits(Struct, frozen=True):
    """What a client should know before it is refused: characters, bytes, per minute."""

    text_max: int
    frame_max_bytes: int
    messages_burst: int
    messages_per_minute: int
    frames_per_minute: int


class TurnData(Struct, frozen=True):
    """A turn that is being answered; with `starts_at` a late joiner finds the planchette where it is."""

    turn_id: UUID
    message_id: UUID
    asker: PersonRef
    persona: str
    started_at: datetime | None
    starts_at: datetime | None = None


class WelcomeSpirit(Struct, frozen=True):
    """What the spirit does at the moment, the questions that wait, next one first, and in a circle who may ask."""

    turn: TurnData | None
    queue: list[QuestionQueued] = []
    merged: list[QuestionMerged] = []
    circle: CircleTurn | None = None


class Welcome(Struct, frozen=True):
    """`welcome`: the whole state, at position `seq` of log `epoch`."""

    session: SessionData
    participant: ParticipantData
    connection_id: UUID
    epoch: str
    seq: int
    participants: list[ParticipantData]
    spirit: WelcomeSpirit
    recent: list[Any]  # MessageData or AnswerData, oldest first
    limits: Limits
    heartbeat_ms: int
    server_time: datetime


class Resumed(Struct, frozen=True, rename={"from_": "from"}):
    """`resumed`: the events after `from` up to `to` were sent again, `count` of them."""

    from_: int
    to: int
    count: int


class ResyncRequired(Struct, frozen=True):
    """`resync_required`: what was missed cannot be sent again; read the history."""

    reason: Literal["epoch_changed", "position_unknown", "too_far_behind"]


class TokenExpiring(Struct, frozen=True):
    """`token_expiring` and `token_refreshed`: how long the token of this socket is still good."""

    expires_in_ms: int


class Goodbye(Struct, frozen=True):
    """`goodbye`: the server goes away; come back after `reconnect_after_ms`."""

    reason: str
    reconnect_after_ms: int
    last_seq: int


class Heartbeat(Struct, frozen=True):
    """`heartbeat`: the position of the log and the server's clock."""

    seq: int
    server_time: datetime


# Every event that the server sends, and whether it is an entry of the log.
DURABLE: dict[str, type[Struct]] = {
    "message_received": MessageReceived,
    "message_deleted": MessageDeleted,
    "spirit_response": SpiritResponse,
    "spirit_cancelled": SpiritCancelled,
    "spirit_failed": SpiritFailed,
    "session_updated": SessionChanged,
    "session_ended": SessionChanged,
}
STATE: dict[str, type[Struct]] = {
    "user_joined": UserJoined,
    "user_left": UserLeft,
    "user_typing": UserTyping,
    "question_queued": QuestionQueued,
    "question_merged": QuestionMerged,
    "question_withdrawn": QuestionWithdrawn,
    "circle_turn": CircleTurn,
    "spirit_thinking": SpiritThinking,
    "spirit_move": SpiritMove,
    "spirit_voice": SpiritVoice,
}
ANSWERS: dict[str, type[Struct]] = {
    "welcome": Welcome,
    "resumed": Resumed,
    "resync_required": ResyncRequired,
    "ack": Ack,
    "safety_notice": SafetyNotice,
    "error": ErrorData,
    "heartbeat": Heartbeat,
    "token_expiring": TokenExpiring,
    "token_refreshed": TokenExpiring,
    "goodbye": Goodbye,
}
SERVER_EVENTS = DURABLE | STATE | ANSWERS


class Frame(Struct, frozen=True):
    """What stands around every event; `seq` only where it is durable, `ref` only on an answer."""

    event: str
    data: Any
    timestamp: datetime
    seq: int | UnsetType = UNSET
    ref: str | UnsetType = UNSET


_encode = msgspec.json.Encoder().encode


def now() -> datetime:
    """The time, in UTC and to the millisecond, as it is stored and told."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def frame(
    event: str, data: Struct | dict[str, Any], *, at: datetime | None = None, seq: int = 0, ref: str | None = None
) -> str:
    """One frame, encoded: what a socket gets as its text."""
    return _encode(Frame(event, data, at or now(), seq if seq else UNSET, ref if ref is not None else UNSET)).decode()
