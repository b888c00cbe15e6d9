"""Tests of the terminal client: what a server says, made from the shapes that the server itself uses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec

from sessions_app import events
from sessions_app.spirits.board import board_script

SESSION_ID, ME, OTHER = uuid4(), uuid4(), uuid4()
AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def session(**fields: Any) -> events.SessionData:
    found = events.SessionData(
        id=SESSION_ID,
        name="Friday",
        created_at=AT,
        max_users=6,
        is_active=True,
        ended_at=None,
        host_id=OTHER,
        access="open",
        is_listed=False,
        participant_count=2,
        last_seq=0,
        spirit=events.SpiritSettings("the-spirit", "open", "ritual"),
        is_locked=False,
    )
    return msgspec.structs.replace(found, **fields)


def participant(user_id: UUID = ME, name: str = "Ana") -> events.ParticipantData:
    return events.ParticipantData(uuid4(), user_id, name, "participant", AT, None, True, False, None)


def welcome(*, seq: int = 0, epoch: str = "e1", recent: list[Any] | None = None, **fields: Any) -> str:
    told = events.Welcome(
        session=fields.get("session", session()),
        participant=participant(),
        connection_id=uuid4(),
        epoch=epoch,
        seq=seq,
        participants=[participant(), participant(OTHER, "Ben")],
        spirit=events.WelcomeSpirit(fields.get("turn")),
        recent=recent or [],
        limits=events.Limits(500, 16_384, 5, 60, 120),
        heartbeat_ms=15_000,
        server_time=AT,
    )
    return events.frame("welcome", told)


def message(seq: int, text: str = "Hello", *, user_id: UUID | None = OTHER, name: str | None = "Ben") -> str:
    return events.frame("message_received", message_data(seq, text, user_id=user_id, name=name), seq=seq)


def message_data(
    seq: int, text: str = "Hello", *, user_id: UUID | None = OTHER, name: str | None = "Ben"
) -> events.MessageReceived:
    return events.MessageReceived(
        uuid4(), SESSION_ID, seq, user_id, name, text, AT, False, None, None, False, None, message=text
    )


def answer(seq: int, *, turn_id: UUID, question: UUID, board: str = "YES", text: str = "Yes, I am here.") -> str:
    script = board_script(board).as_dict()
    told = events.SpiritResponse(
        uuid4(), SESSION_ID, seq, None, None, text, AT, True, None, question, False, None,
        script, [100] * len(text), 4, None, "oracle", None, AT, message=text, turn_id=turn_id,
    )  # fmt: skip
    return events.frame("spirit_response", told, seq=seq)


def moves(turn_id: UUID, board: str = "YES", *, after: float = 0.0) -> str:
    script = msgspec.to_builtins(board_script(board).moves)
    return events.frame("spirit_move", events.SpiritMove(turn_id, AT + timedelta(seconds=after), script))


def thinking(turn_id: UUID, question: UUID) -> str:
    told = events.SpiritThinking(turn_id, question, events.PersonRef(ME, "Ana"), "the-spirit")
    return events.frame("spirit_thinking", told)


def ack(client_msg_id: str, seq: int, *, message_id: UUID | None = None) -> str:
    told = events.Ack(message_id or uuid4(), seq, client_msg_id, duplicate=False)
    return events.frame("ack", told, ref=client_msg_id)


def error(code: str, said: str, *, ref: str | None = None, retryable: bool = False, wait: int | None = None) -> str:
    return events.frame("error", events.ErrorData(code, said, retryable, retry_after_ms=wait), ref=ref)


def left(user_id: UUID = OTHER, name: str = "Ben") -> str:
    return events.frame("user_left", events.UserLeft(user_id, uuid4(), name, AT, "participant", "timeout"))


def joined(user_id: UUID, name: str) -> str:
    return events.frame("user_joined", events.UserJoined(user_id, uuid4(), name, AT, "participant", None))


def typing(*people: tuple[UUID, str]) -> str:
    told = events.UserTyping([events.PersonRef(*one) for one in people], people[-1][1] if people else None)
    return events.frame("user_typing", told)
