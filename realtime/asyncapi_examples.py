"""realtime, examples of every event, put together from the types of the structs: never stale, and always valid."""

import types
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec
from msgspec import Struct, UnsetType

from sessions_app import events
from sessions_app.spirits.board import move_batches
from sessions_app.spirits.speech import FormattedResponse, format_response

NOW = datetime(2026, 11, 22, 9, 0, 0, 123000, tzinfo=UTC)
SESSION, ADA, SEAT, MESSAGE, ANSWER, TURN, CONNECTION = (
    UUID(f"019ab1c2-d3e4-7f56-8a9b-00000000000{number}") for number in range(1, 8)
)
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwMTlhYjFjMiJ9.c2lnbmF0dXJl"  # noqa: S105  shows the form of one


@cache
def _answer() -> FormattedResponse:
    return format_response("Yes. The candle told me.", board="YES", seed=7)


# By "Struct.field" or by the field alone; whatever has none here gets a value of its type.
VALUES: dict[str, Any] = {
    "id": ADA,
    "user_id": ADA,
    "host_id": ADA,
    "by": ADA,
    "name": "Ada",
    "user_name": "Ada",
    "user": "Ada",
    "session_id": SESSION,
    "message_id": MESSAGE,
    "participant_id": SEAT,
    "turn_id": TURN,
    "connection_id": CONNECTION,
    "text": "Is anyone there?",
    "message": "Is anyone there?",
    "seq": 17,
    "last_seq": 17,
    "after_seq": 12,
    "epoch": "5f1c0a9be2d4",
    "client_msg_id": "c17",
    "token": TOKEN,
    "persona": "the-spirit",
    "position": 1,
    "max_users": 6,
    "participant_count": 2,
    "is_active": True,
    "is_listed": False,
    "is_locked": False,
    "looks_like": None,
    "is_present": True,
    "is_typing": True,
    "ended_at": None,
    "left_at": None,
    "deleted_at": None,
    "in_reply_to": None,
    "retry_after_ms": 1000,
    "expires_in_ms": 60000,
    "heartbeat_ms": 15000,
    "reconnect_after_ms": 4200,
    "Goodbye.reason": "draining",
    "Join.user_id": "a secret that this client keeps",
    "Join.invite": None,
    "Join.token": None,
    "Join.role": "participant",
    "SessionData.id": SESSION,
    "SessionData.name": "Friday night",
    "UpdateSession.name": "Saturday night",
    "SpiritSettings.mode": "open",
    "SpiritSettings.pace": "ritual",
    "SpiritInput.mode": "summoned",
    "SpiritInput.pace": "brisk",
    "ParticipantData.id": SEAT,
    "ParticipantData.role": "host",
    "MessageData.id": MESSAGE,
    "AnswerData.id": ANSWER,
    "AnswerData.seq": 18,
    "AnswerData.user_id": None,
    "AnswerData.user_name": None,
    "AnswerData.text": "Yes. The candle told me.",
    "AnswerData.is_spirit": True,
    "AnswerData.client_msg_id": None,
    "AnswerData.in_reply_to": MESSAGE,
    "AnswerData.board_script": lambda: _answer().board_script.as_dict(),
    "AnswerData.letter_timings": lambda: _answer().letter_timings,
    "AnswerData.word_count": lambda: _answer().word_count,
    "AnswerData.audio_url": None,
    "AnswerData.source": "oracle",
    "AnswerData.degraded": None,
    "AnswerData.starts_at": NOW,
    "CircleTurn.user": events.PersonRef(ADA, "Ada"),
    "QuestionMerged.into": CONNECTION,
    "SafetyNotice.kind": "crisis",
    "SafetyNotice.text": "This was not passed to the table.",
    "SafetyNotice.links": ["https://findahelpline.com"],
    "SpiritSettings.locale": msgspec.UNSET,
    "SpiritSettings.warmth": msgspec.UNSET,
    "SpiritSettings.riddling": msgspec.UNSET,
    "SpiritSettings.menace": msgspec.UNSET,
    "SpiritSettings.theme": "A night at sea",
    "SpiritInput.locale": "en",
    "SpiritInput.warmth": 40,
    "SpiritInput.riddling": 80,
    "SpiritInput.menace": 10,
    "SpiritInput.theme": "A night at sea",
    "SpiritResponse.message": "Yes. The candle told me.",
    "SpiritVoice.text": "The candle told me.",
    "SpiritMove.moves": lambda: msgspec.to_builtins(move_batches(_answer().board_script)[0].moves),
    "SpiritFailed.code": "SPIRIT_ERROR",
    "Welcome.recent": lambda: [value_of(events.MessageData)],
    "Limits.text_max": 500,
    "Limits.frame_max_bytes": 16384,
    "Limits.messages_burst": 5,
    "Limits.messages_per_minute": 60,
    "Limits.frames_per_minute": 120,
    "Resumed.from_": 12,
    "Resumed.to": 17,
    "Resumed.count": 5,
    "ErrorData.code": "RATE_LIMITED",
    "ErrorData.message": "Too many requests; wait a little.",
    "ErrorData.retryable": True,
    "ErrorData.details": {},
    "SendMessage.message": msgspec.UNSET,  # the other name of `text`
}


def value_of(kind: type[Struct]) -> Any:
    """An example of this struct, as plain JSON types."""
    hints = get_type_hints(kind, include_extras=True)
    fields = msgspec.structs.fields(kind)
    found = kind(**{field.name: _of_field(kind, field.name, hints[field.name]) for field in fields})
    return msgspec.to_builtins(found)


def frame_of(event: str, kind: type[Struct], *, durable: bool, echo: bool) -> dict[str, Any]:
    """An example of a server's frame."""
    data = value_of(kind)
    seq = (data.get("seq") or 17) if durable else 0
    text = events.frame(event, data, at=NOW, seq=seq, ref="c17" if echo else None)
    found: dict[str, Any] = msgspec.json.decode(text)
    return found


def command_of(event: str, kind: type[Struct]) -> dict[str, Any]:
    """An example of a client's frame."""
    data = {name: value for name, value in value_of(kind).items() if value is not None}
    return {"event": event, "ref": "c17", "data": data}


def _of_field(kind: type[Struct], name: str, hint: Any) -> Any:
    for key in (*(f"{base.__name__}.{name}" for base in kind.__mro__), name):
        if key in VALUES:
            value = VALUES[key]
            return value() if isinstance(value, types.FunctionType) else value
    return _of_type(hint)


def _of_type(hint: Any) -> Any:
    origin = get_origin(hint)
    if origin is Annotated:
        return _of_type(get_args(hint)[0])
    if origin is Literal:
        return get_args(hint)[0]
    if origin in (Union, types.UnionType):
        kinds = [kind for kind in get_args(hint) if kind not in (UnsetType, type(None))]
        return _of_type(kinds[0])
    if origin is list:
        return [_of_type(get_args(hint)[0])]
    if isinstance(hint, type) and issubclass(hint, Struct):
        names = get_type_hints(hint, include_extras=True)
        return hint(
            **{field.name: _of_field(hint, field.name, names[field.name]) for field in msgspec.structs.fields(hint)}
        )
    return {str: "text", int: 1, bool: False, datetime: NOW, UUID: SESSION}.get(hint, {})
