"""sessions_app, writes: who is the host of a session, handed over or inherited."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sessions_app.models import Act, Participant, Role, Session, User
from sessions_app.publish import Notice
from sessions_app.selectors.sessions import taken_seats
from sessions_app.services.audit import record
from sessions_app.services.log import append_change


def hand_over(session: Session, heir: Participant, *, actor: User | None, at: datetime) -> list[Notice]:
    """Make a participant the host of a locked session; returns what to publish. The former host is a participant.

    Without an actor the heir inherits.
    """
    if session.host_id is not None:
        _keep_place(session, session.host_id)
    Participant.objects.filter(session=session, role=Role.HOST).update(role=Role.PARTICIPANT)
    former, session.host_id = session.host_id, heir.user_id
    heir.role, heir.is_muted, heir.is_role_given = Role.HOST, False, False
    heir.save(update_fields=["role", "is_muted", "is_role_given"])
    record(Act.HOST, actor=actor, session=session, target=heir.user_id, former=str(former) if former else None)
    told = append_change(session, "session_updated", taken_seats(session.id), at)
    session.save(update_fields=["host", "last_seq"])
    return [told]


def _keep_place(session: Session, host_id: UUID) -> None:
    """A host may have spoken without ever sitting down, and is among those who left from now on: what somebody said is
    looked for where that person has a place, or is the host."""
    if Participant.objects.filter(session=session, user=host_id).exists():
        return
    said = session.messages.filter(user=host_id).order_by("seq").first()
    if said is not None:
        name, at = said.user_name or "", said.timestamp
        Participant.objects.create(session=session, user_id=host_id, name=name, joined_at=at, left_at=at)


def inherit(gone: Sequence[Participant], at: datetime) -> list[Notice]:
    """Where a host is among those who left for good, somebody follows. `session` of each row is a locked row; returns
    what to publish."""
    hosts = [row.session for row in gone if row.session.host_id == row.user_id]
    return [told for session in hosts for told in follow(session, at)]


def follow(session: Session, at: datetime) -> list[Notice]:
    """The host of a locked session is gone for good: whoever has an account and sat longest is the next.

    Where nobody has one, the host stays the host, absent. Returns what to publish.
    """
    if not session.is_active or session.host_id is None:
        return []
    seated = Participant.objects.filter(session=session, left_at__isnull=True, user__is_guest=False)
    heirs = seated.exclude(role=Role.OBSERVER).exclude(user_id=session.host_id)
    heir = heirs.order_by("joined_at", "id").first()
    return hand_over(session, heir, actor=None, at=at) if heir is not None else []
