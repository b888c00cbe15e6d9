"""sessions_app, writes: sessions are opened, changed and ended."""

from uuid import UUID

from django.conf import settings
from django.db import transaction
from msgspec import UNSET

from sessions_app import events, outbox, policies
from sessions_app.errors import Code, SeanceError, invalid
from sessions_app.inputs import CreateSession, UpdateSession
from sessions_app.models import Act, Connection, Mode, Participant, Session, User
from sessions_app.prepared import insert_each
from sessions_app.publish import publish
from sessions_app.selectors import history
from sessions_app.selectors.sessions import get_session, taken_seats, visible_session
from sessions_app.selectors.shapes import session_data
from sessions_app.services.accounts import new_guest
from sessions_app.services.audit import record
from sessions_app.services.log import append_change, lock_known
from sessions_app.services.personas import exists
from sessions_app.services.retention import erase
from sessions_app.services.turns import withdraw
from sessions_app.text import SESSION_NAME_MAX, clean_name, clean_theme
from sessions_app.webhooks.kinds import CREATED

__all__ = ["create_session", "delete_session", "end_session", "get_session", "get_session_history", "update_session"]


def create_session(*, actor: User | None, values: CreateSession) -> tuple[events.SessionData, User, bool]:
    """Open a session; returns it, its host, and whether the host is a guest made for it.

    Without an actor a fresh guest is the host, while `ALLOW_ANONYMOUS` is on; else `UNAUTHORIZED`.
    """
    row = Session()
    _apply(row, values)
    is_fresh = actor is None
    if is_fresh and not settings.SEANCE.allow_anonymous:
        raise SeanceError(Code.UNAUTHORIZED)
    row.host = host = actor or new_guest(name=None)
    row.created_at = events.now()
    told = session_data(row, 0)
    insert_each([*([host] if is_fresh else []), row, *outbox.entry(CREATED, row.id, told, row.created_at)])
    return told, host, is_fresh


@transaction.atomic
def update_session(*, actor: User | None, session_id: UUID, values: UpdateSession) -> events.SessionData:
    """Change a session: host or staff. Everybody in it gets `session_updated`, unless nothing changed.

    Raises `VALIDATION_ERROR`, `UNAUTHORIZED`, `FORBIDDEN`, `SESSION_NOT_FOUND`, `SESSION_ENDED`.
    """
    row = lock_known(session_id, actor)
    policies.may_manage(row, actor)
    if not row.is_active:
        raise SeanceError(Code.SESSION_ENDED)
    changed = _apply(row, values)
    taken = taken_seats(row.id)
    if "max_users" in changed and row.max_users < taken:
        raise invalid(max_users=f"{taken} seats are taken.")
    if changed:
        at, notices = events.now(), []
        if "spirit_mode" in changed and row.spirit_mode == Mode.OFF:
            notices += withdraw(row, row.turns.all(), at, actor.id if actor else None)
        row.circle_seat, row.circle_since = (
            (None, None) if "spirit_mode" in changed else (row.circle_seat, row.circle_since)
        )
        publish([*notices, append_change(row, "session_updated", taken, at)])
        row.save(update_fields=[*changed, "last_seq", "circle_seat", "circle_since", "spirit_version"])
        record(Act.UPDATE_SESSION, actor=actor, session=row, fields=changed)
    return session_data(row, taken)


@transaction.atomic
def end_session(*, actor: User | None, session_id: UUID) -> events.SessionData:
    """End a session for good: host or staff. Ending it twice is the same as once.

    Everybody in it gets `session_ended` and is sent away. Raises `UNAUTHORIZED`, `FORBIDDEN`, `SESSION_NOT_FOUND`.
    """
    row = lock_known(session_id, actor)
    policies.may_manage(row, actor)
    if row.is_active:
        at = events.now()
        row.is_active, row.ended_at = False, at
        notices = withdraw(row, row.turns.all(), at, actor.id if actor else None)
        notices.append(append_change(row, "session_ended", 0, at))
        row.presence_version += 1
        row.save(update_fields=["is_active", "ended_at", "last_seq", "presence_version"])
        Participant.objects.filter(session=row, left_at__isnull=True).update(left_at=at, away_since=None)
        Connection.objects.filter(participant__session=row).update(close_code=4505)
        record(Act.END_SESSION, actor=actor, session=row)
        publish(notices)
    return session_data(row, 0)


@transaction.atomic
def delete_session(*, actor: User | None, session_id: UUID) -> None:
    """Delete a session that has ended, with all that was said in it; staff only. Its rollups and the audit log stay.

    Raises `UNAUTHORIZED`, `FORBIDDEN` (also for one that goes on), `SESSION_NOT_FOUND`.
    """
    policies.require_staff(actor)
    row = lock_known(session_id, actor)
    if row.is_active:
        raise SeanceError(Code.FORBIDDEN, "A session that goes on is ended first.")
    erase(row, actor=actor)


def get_session_history(
    *,
    actor: User | None,
    session_id: UUID,
    limit: int,
    after_seq: int | None = None,
    before_seq: int | None = None,
    invite: str | None = None,
) -> tuple[list[events.MessageData], bool, Session]:
    """A page of the log: messages, whether there are more, and the session's row with its `last_seq` and `epoch`."""
    row = visible_session(session_id, actor, invite)
    found, has_more = history.page(row, limit=limit, after_seq=after_seq, before_seq=before_seq)
    return found, has_more, row


def _apply(row: Session, values: UpdateSession) -> list[str]:
    """Set what was given; returns the names of the fields that changed. Raises `VALIDATION_ERROR`."""
    wrong: dict[str, str | list[str]] = {}
    given: dict[str, object] = {}
    if values.name is not UNSET:
        try:
            given["name"] = clean_name(values.name, limit=SESSION_NAME_MAX)
        except SeanceError as refused:
            wrong |= refused.details
    if values.max_users is not UNSET:
        given["max_users"] = values.max_users
        if values.max_users > settings.SEANCE.max_users_limit:
            wrong["max_users"] = f"Ensure this value is at most {settings.SEANCE.max_users_limit}."
    for field in ("access", "is_listed", "is_locked"):
        if (value := getattr(values, field)) is not UNSET:
            given[field] = value
    if values.spirit is not UNSET:
        for field in ("persona", "mode", "pace", "locale", "warmth", "riddling", "menace", "theme"):
            if (value := getattr(values.spirit, field)) is not UNSET:
                given[f"spirit_{field}"] = value
        try:
            if values.spirit.theme is not UNSET:
                given["spirit_theme"] = clean_theme(values.spirit.theme)
        except SeanceError as refused:
            wrong |= refused.details
        persona = tuple(str(given.get(name, getattr(row, name))) for name in ("spirit_persona", "spirit_locale"))
        if persona != (row.spirit_persona, row.spirit_locale):
            if not exists(*persona):
                wrong["spirit"] = "There is no such persona."
            row.spirit_version = None  # the next turn pins the new one
    if wrong:
        raise invalid(**wrong)
    changed = [name for name, value in given.items() if getattr(row, name) != value]
    for name, value in given.items():
        setattr(row, name, value)
    return changed
