"""sessions_app, writes: the audit log. An entry is part of the transaction of what it tells of."""

from typing import Any
from uuid import UUID

from sessions_app import events
from sessions_app.models import Act, AuditEntry, Session, User


def record(
    act: Act, *, actor: User | None, session: Session | None = None, target: UUID | None = None, **details: Any
) -> None:
    """Write down what somebody did to others; `details` are names of fields, roles and numbers, never texts."""
    AuditEntry.objects.create(
        act=act,
        actor=actor.id if actor is not None else None,
        session=session.id if session is not None else None,
        target=target,
        at=events.now(),
        details=details,
    )
