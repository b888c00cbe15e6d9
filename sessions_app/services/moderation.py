"""sessions_app, writes: what the host, or staff, does to those who sit there: out, silent, another role.

Rights are read from the database with every message, so that a change holds for the very next one, whatever socket it
comes over. Nobody is told of a mute or of a role: `welcome` and the list of participants show them. A new host is told
to everybody (`session_updated`), and so is who was sent away (`user_left`).
"""

from uuid import UUID

from django.db import transaction

from sessions_app import events, policies
from sessions_app.errors import Code, SeanceError, invalid
from sessions_app.models import Act, Connection, Participant, Role, Session, User
from sessions_app.publish import publish
from sessions_app.selectors.sessions import taken_seats
from sessions_app.selectors.shapes import participant_data
from sessions_app.services.audit import record
from sessions_app.services.hosts import hand_over
from sessions_app.services.log import lock_known
from sessions_app.services.seats import leave, save_presence
from sessions_app.services.sockets import KICKED, close_sockets
from sessions_app.services.turns import OPEN_STATES, unhear_person, withdraw


def _begin(actor: User | None, session_id: UUID, **whom: UUID) -> Participant:
    """The participant, its `session` locked. Strangers learn nothing, and only managers learn who there is."""
    session = lock_known(session_id, actor)
    policies.may_manage(session, actor)
    row = Participant.objects.filter(session=session, **whom).first()
    if row is None:
        raise SeanceError(Code.NOT_FOUND)
    row.session = session
    return row


def _data(row: Participant) -> events.ParticipantData:
    return participant_data(row, is_present=row.left_at is None and row.connections.exists())


@transaction.atomic
def kick(*, actor: User | None, session_id: UUID, participant_id: UUID) -> events.ParticipantData:
    """Send somebody away for good: seat, sockets and open questions go, and the door stays shut. Twice is once.

    Raises `NOT_FOUND`, `UNAUTHORIZED`, `FORBIDDEN` (also for the host and oneself), `SESSION_NOT_FOUND`,
    `SESSION_ENDED`.
    """
    return _kick(actor, _begin(actor, session_id, pk=participant_id))


@transaction.atomic
def kick_user(*, actor: User | None, session_id: UUID, whom: UUID) -> events.ParticipantData:
    """The same, for a user's id."""
    return _kick(actor, _begin(actor, session_id, user=whom))


def _kick(actor: User | None, row: Participant) -> events.ParticipantData:
    session, at = row.session, events.now()
    policies.may_moderate(session, actor, row.user_id)
    if actor is not None and actor.id == row.user_id:
        raise SeanceError(Code.FORBIDDEN, "Nobody sends oneself away.")
    if row.kicked_at is None:
        row.kicked_at = at
        row.save(update_fields=["kicked_at"])
        notices = leave([row], "kicked", at) if row.left_at is None else []
        asked = session.turns.filter(asker_id=row.user_id, state__in=OPEN_STATES)
        notices += withdraw(session, asked, at, actor.id if actor else None)
        notices += unhear_person(session, row.user_id)
        notices += close_sockets(Connection.objects.filter(participant=row), KICKED)
        session.save(update_fields=["last_seq"])
        record(Act.KICK, actor=actor, session=session, target=row.user_id)
        publish(notices)
    return participant_data(row, is_present=False)


@transaction.atomic
def mute(*, actor: User | None, session_id: UUID, participant_id: UUID, muted: bool) -> events.ParticipantData:
    """Take somebody's voice, or give it back. Raises what `kick` raises."""
    row = _begin(actor, session_id, pk=participant_id)
    policies.may_moderate(row.session, actor, row.user_id)
    if row.is_muted != muted:
        row.is_muted = muted
        row.save(update_fields=["is_muted"])
        row.session.presence_version += 1  # what was read of the voices before is not true any more
        save_presence([row.session])
        record(Act.MUTE if muted else Act.UNMUTE, actor=actor, session=row.session, target=row.user_id)
    return _data(row)


@transaction.atomic
def set_role(*, actor: User | None, session_id: UUID, participant_id: UUID, role: str) -> events.ParticipantData:
    """Give somebody another role. `host` hands the host's seat over, to somebody who is in the session.

    An observer made here stays one, whatever the next join asks for. Raises what `kick` raises, `SESSION_FULL` where a
    seat is needed, and `VALIDATION_ERROR` for a host who is not there.
    """
    row = _begin(actor, session_id, pk=participant_id)
    session = row.session
    if session.is_active and row.user_id == session.host_id and role == Role.HOST:
        return _data(row)
    policies.may_moderate(session, actor, row.user_id)
    if role == Role.HOST and (row.left_at is not None or row.kicked_at is not None):
        raise invalid(role="Only somebody who is in the session can be its host.")
    if row.role == Role.OBSERVER and role != Role.OBSERVER:
        _check_free_seat(session, row)
    if role == Role.HOST:
        publish(hand_over(session, row, actor=actor, at=events.now()))
        return _data(row)
    is_given = role == Role.OBSERVER
    if (row.role, row.is_role_given) != (role, is_given):
        record(Act.ROLE, actor=actor, session=session, target=row.user_id, before=row.role, after=role)
        row.role, row.is_role_given = role, is_given
        row.save(update_fields=["role", "is_role_given"])
        session.presence_version += 1  # there may be a free seat more, or one less
        save_presence([session])
    return _data(row)


def _check_free_seat(session: Session, row: Participant) -> None:
    """Whoever sits and takes no seat needs one now; for whoever has left, the next join decides."""
    if row.left_at is None and taken_seats(session.id) >= session.max_users:
        raise SeanceError(Code.SESSION_FULL)
