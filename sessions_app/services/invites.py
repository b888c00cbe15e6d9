"""sessions_app, writes: invites are made and revoked by host and staff; they are used up by joins, in `seats`."""

from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from sessions_app import events, policies
from sessions_app.errors import Code, SeanceError
from sessions_app.inputs import NewInvite
from sessions_app.models import Act, Invite, User
from sessions_app.security import digest, new_refresh_token
from sessions_app.services.audit import record
from sessions_app.services.log import lock_known
from sessions_app.services.rollup import mark_stale


class Made(NamedTuple):
    """A new invite; its code is known now and never again."""

    row: Invite
    code: str


@transaction.atomic
def create_invite(*, actor: User | None, session_id: UUID, values: NewInvite) -> Made:
    """An invite into a session that goes on: host or staff.

    Raises `UNAUTHORIZED`, `FORBIDDEN`, `SESSION_NOT_FOUND`, `SESSION_ENDED`.
    """
    session = lock_known(session_id, actor)
    policies.may_manage(session, actor)
    if not session.is_active:
        raise SeanceError(Code.SESSION_ENDED)
    code, at = new_refresh_token(), events.now()
    made_by = actor if actor is not None and actor.id is not None else None  # the operator has no row
    row = Invite.objects.create(
        session=session,
        created_by=made_by,
        digest=digest(code),
        max_uses=values.max_uses,
        created_at=at,
        expires_at=at + timedelta(seconds=values.expires_in),
    )
    mark_stale([session.id])
    record(
        Act.CREATE_INVITE, actor=actor, session=session, target=row.id,
        max_uses=row.max_uses, expires_in=values.expires_in,
    )  # fmt: skip
    return Made(row, code)


@transaction.atomic
def revoke_invite(*, actor: User | None, session_id: UUID, code: str) -> Invite:
    """Make an invite worthless: host or staff. Twice is the same as once.

    Raises `NOT_FOUND` for a code that is none of this session's, `UNAUTHORIZED`, `FORBIDDEN`, `SESSION_NOT_FOUND`.
    """
    session = lock_known(session_id, actor)
    policies.may_manage(session, actor)
    row = Invite.objects.filter(session=session, digest=digest(code)).first()
    if row is None:
        raise SeanceError(Code.NOT_FOUND)
    if row.revoked_at is None:
        row.revoked_at = events.now()
        row.save(update_fields=["revoked_at"])
        record(Act.REVOKE_INVITE, actor=actor, session=session, target=row.id)
    return row
