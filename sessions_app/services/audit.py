"""sessions_app, writes: the audit log. An entry is part of the transaction of what it tells of."""

from typing import Any
from uuid import UUID

from sessions_app import events
from sessions_app.models import Act, AuditEntry, Session, User


def record(
    act: Act, *, actor: User | None, session: Session | UUID | None = None, target: UUID | None = None, **details: Any
) -> None:
    """Write down what somebody did to others; `details` are names of fields, roles and numbers, never texts.

    Whoever runs commands is nobody in the database: the entry has no actor, and says `"by": "operator"`.
    """
    who: UUID | None = actor.id if actor is not None else None
    if actor is not None and who is None:
        details["by"] = "operator"
    AuditEntry.objects.create(
        act=act,
        actor=who,
        session=session.id if isinstance(session, Session) else session,
        target=target,
        at=events.now(),
        details=details,
    )
