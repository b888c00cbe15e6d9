"""sessions_app, reads: rows as the shapes of `events`, and nothing else."""

from typing import Any, cast

from msgspec import UNSET

from sessions_app import events
from sessions_app.models import Message, Participant, Session, User


def _role(row: Participant) -> events.RoleName:
    return cast(events.RoleName, row.role)  # the database has a constraint on it


def session_data(row: Session, participant_count: int) -> events.SessionData:
    """A session row as it is told."""
    return events.SessionData(
        id=row.id,
        name=row.name,
        created_at=row.created_at,
        max_users=row.max_users,
        is_active=row.is_active,
        ended_at=row.ended_at,
        host_id=row.host_id,
        access=cast(Any, row.access),
        is_listed=row.is_listed,
        participant_count=participant_count,
        last_seq=row.last_seq,
        spirit=spirit_settings(row),
        is_locked=row.is_locked,
    )


def spirit_settings(row: Session) -> events.SpiritSettings:
    """Which spirit a session has; what the host left to the persona is left out."""
    return events.SpiritSettings(
        row.spirit_persona,
        cast(Any, row.spirit_mode),
        cast(Any, row.spirit_pace),
        UNSET if row.spirit_locale == "en" else row.spirit_locale,
        UNSET if row.spirit_warmth is None else row.spirit_warmth,
        UNSET if row.spirit_riddling is None else row.spirit_riddling,
        UNSET if row.spirit_menace is None else row.spirit_menace,
        row.spirit_theme or UNSET,
    )


def user_data(row: User) -> events.UserData:
    """A user row as its owner sees it."""
    return events.UserData(row.id, row.name, row.joined_at, row.is_guest)


def participant_data(row: Participant, *, is_present: bool) -> events.ParticipantData:
    """A participant row as it is told."""
    return events.ParticipantData(
        id=row.id,
        user_id=row.user_id,
        name=row.name,
        role=_role(row),
        joined_at=row.joined_at,
        left_at=row.left_at,
        is_present=is_present,
        is_muted=row.is_muted,
        looks_like=row.looks_like_id,
    )


def user_joined(row: Participant) -> events.UserJoined:
    """What others are told of a participant who takes a place."""
    return events.UserJoined(row.user_id, row.id, row.name, row.joined_at, _role(row), row.looks_like_id)


def user_left(row: Participant, reason: events.PresenceReason) -> events.UserLeft:
    """What others are told of a participant who is gone."""
    return events.UserLeft(row.user_id, row.id, row.name, row.joined_at, _role(row), reason)


def message_data(row: Message) -> events.MessageData:
    """A message row as history tells it; for the spirit's own the row's `answer` must be selected with it."""
    common = (
        row.id,
        row.session_id,
        row.seq,
        row.user_id,
        row.user_name,
        row.text,
        row.timestamp,
        row.is_spirit,
        row.client_msg_id,
        row.in_reply_to_id,
        row.off_record,
        row.deleted_at,
    )
    if not row.is_spirit:
        return events.MessageData(*common)
    answer = row.answer
    return events.AnswerData(
        *common, answer.board_script, answer.letter_timings, answer.word_count, None, answer.source, answer.degraded,
        answer.starts_at,
    )  # fmt: skip


def message_event(row: Message) -> tuple[str, events.MessageReceived | events.SpiritResponse]:
    """A message row as the event that announced it."""
    data = message_data(row)
    fields = [getattr(data, name) for name in data.__struct_fields__]
    if isinstance(data, events.AnswerData):
        return "spirit_response", events.SpiritResponse(*[*fields, row.text, row.answer.turn_id])
    return "message_received", events.MessageReceived(*[*fields, row.text])
