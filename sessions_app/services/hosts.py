"""sessions_app, writes: who is the host of a session, handed over or inherited."""

from collections.abc import Sequence
from datetime import datetime

from sessions_app.models import Act, Participant, Role, Session, User
from sessions_app.publish import Notice
from sessions_app.selectors.sessions import taken_seats
from sessions_app.services.audit import record
from sessions_app.services.log import append_change


def hand_over(session: Session, heir: Participant, *, actor: User | None, at: datetime) -> list[Notice]:
    """Make a participant the host of a locked session; returns what to publish. The former host is a participant.

    Without an actor the heir inherits.
    """
    Participant.objects.filter(session=session, role=Role.HOST).update(role=Role.PARTICIPANT)
    former, session.host_id = session.host_id, heir.user_id
    heir.role, heir.is_muted, heir.is_role_given = Role.HOST, False, False
    heir.save(update_fields=["role", "is_muted", "is_role_given"])
    record(Act.HOST, actor=actor, session=session, target=heir.user_id, former=str(former) if former else None)
    told = append_change(session, "session_updated", taken_seats(session.id), at)
    session.save(update_fields=["host", "last_seq"])
    return [told]


def inherit(gone: Sequence[Participant], at: datetime) -> list[Notice]:
    """Where a host is among those who left for good, whoever has an account and sat longest is the next.

    Where nobody has one, the host stays the host, absent. `session` of each row is a locked row; returns what to
    publish.
    """
    notices = []
    for row in gone:
        session = row.session
        if session.host_id != row.user_id or not session.is_active:
            continue
        seated = Participant.objects.filter(session=session, left_at__isnull=True, user__is_guest=False)
        heirs = seated.exclude(role=Role.OBSERVER).exclude(user_id=row.user_id)
        heir = heirs.order_by("joined_at", "id").first()
        if heir is not None:
            notices += hand_over(session, heir, actor=None, at=at)
    return notices
