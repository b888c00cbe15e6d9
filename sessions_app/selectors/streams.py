"""sessions_app, reads: where a reader of the log begins, and whether the reader's own position is good for anything."""

import re
from typing import Literal, NamedTuple
from uuid import UUID

from sessions_app.errors import Code, SeanceError
from sessions_app.models import Session, User
from sessions_app.selectors.sessions import visible_session

_POSITION = re.compile(r"([0-9A-Za-z]{1,64}):([0-9]{1,18})")

Resync = Literal["", "epoch_changed", "position_unknown"]


class Opening(NamedTuple):
    """A stream that was granted: it begins after `after_seq`, or at the present head `seq` where that is None.

    With `resync` the reader's position is of no use. `access` is the session's at this moment, `user_id` the reader's,
    and at `expires_at` (seconds since 1970) the reader's token ends.
    """

    session_id: UUID
    epoch: str
    seq: int
    access: str
    after_seq: int | None = None
    resync: Resync = ""
    user_id: UUID | None = None
    expires_at: float | None = None


def open_stream(
    session_id: UUID, user: User | None, position: str, *, expires_at: float | None = None, invite: str | None = None
) -> Opening:
    """Grant a stream from `position`, `<epoch>:<seq>`, or from the present head where that is empty.

    Raises what reading the session raises, and `SESSION_ENDED` where nothing is left to tell.
    """
    row = visible_session(session_id, user, invite)
    after_seq, resync = _place(row, position)
    if not row.is_active and not resync and after_seq in (None, row.last_seq):
        raise SeanceError(Code.SESSION_ENDED)
    user_id = user.id if user is not None else None
    return Opening(row.id, row.epoch, row.last_seq, row.access, after_seq, resync, user_id, expires_at)


def _place(row: Session, position: str) -> tuple[int | None, Resync]:
    if not position:
        return None, ""
    found = _POSITION.fullmatch(position)
    if found is None:
        return None, "position_unknown"
    epoch, seq = found[1], int(found[2])
    if epoch != row.epoch:
        return None, "epoch_changed"
    return (seq, "") if seq <= row.last_seq else (None, "position_unknown")


def head_of(session_id: UUID, epoch: str) -> int | None:
    """Where this log of a session ends now; None where it is another one by now."""
    return Session.objects.filter(pk=session_id, epoch=epoch).values_list("last_seq", flat=True).first()
