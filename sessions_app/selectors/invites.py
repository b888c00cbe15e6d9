"""sessions_app, reads: invites, which are looked up by the digest of their code."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sessions_app import events
from sessions_app.models import Invite
from sessions_app.security import digest


def is_good(row: Invite | None, session_id: UUID, at: datetime) -> bool:
    """Whether it lets somebody else into this session now."""
    return (
        row is not None
        and row.session_id == session_id
        and row.revoked_at is None
        and row.expires_at > at
        and (row.max_uses is None or row.uses < row.max_uses)
    )


def good_invite(session_id: UUID, code: str | None) -> Invite | None:
    """The invite with this code, if it is one into this session and still good."""
    if not code:
        return None
    row = Invite.objects.filter(digest=digest(code)).first()
    return row if is_good(row, session_id, events.now()) else None


def by_digest(codes: Iterable[str]) -> dict[bytes, Invite]:
    """The invites with these codes; no query where there are none."""
    digests = {digest(code) for code in codes}
    return {bytes(row.digest): row for row in Invite.objects.filter(digest__in=digests)} if digests else {}
