"""sessions_app, reads: where a reader of the log begins, and whether the reader's own position is good for anything."""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple
from uuid import UUID

from sessions_app.errors import Code, SeanceError
from sessions_app.models import Participant, Session, User
from sessions_app.security import Claims
from sessions_app.selectors.people import ended_families, holds
from sessions_app.selectors.sessions import visible_session

_POSITION = re.compile(r"([0-9A-Za-z]{1,64}):([0-9]{1,18})")

Resync = Literal["", "epoch_changed", "position_unknown"]


class Reader(NamedTuple):
    """Who reads a session, by which token, and whether as staff."""

    session_id: UUID
    claims: Claims
    is_staff: bool


class Opening(NamedTuple):
    """A stream that was granted: it begins after `after_seq`, or at the present head `seq` where that is None.

    With `resync` the reader's position is of no use. `access` is the session's at this moment, `reader` who reads if
    that is known, and `address` where from.
    """

    session_id: UUID
    epoch: str
    seq: int
    access: str
    after_seq: int | None = None
    resync: Resync = ""
    reader: Reader | None = None
    address: str = ""

    @property
    def user_id(self) -> UUID | None:
        """Who reads, if that is known."""
        return self.reader.claims.user_id if self.reader is not None else None


def open_stream(
    session_id: UUID,
    user: User | None,
    position: str,
    *,
    claims: Claims | None = None,
    invite: str | None = None,
    address: str = "",
) -> Opening:
    """Grant a stream from `position`, `<epoch>:<seq>`, or from the present head where that is empty.

    Raises what reading the session raises, and `SESSION_ENDED` where nothing is left to tell.
    """
    row = visible_session(session_id, user, invite)
    after_seq, resync = _place(row, position)
    if not row.is_active and not resync and after_seq in (None, row.last_seq):
        raise SeanceError(Code.SESSION_ENDED)
    reader = Reader(row.id, claims, user.is_staff) if user is not None and claims is not None else None
    return Opening(row.id, row.epoch, row.last_seq, row.access, after_seq, resync, reader, address)


def may_stay(readers: Sequence[Reader]) -> list[bool]:
    """Which of these readers would be let in again: not banned, signed out or sent away, nor staff no more."""
    ids = {reader.claims.user_id for reader in readers}
    users = User.objects.in_bulk(ids)
    ended = ended_families(reader.claims.family for reader in readers if reader.claims.family)()
    sessions = {reader.session_id for reader in readers}
    away = Participant.objects.filter(session__in=sessions, user__in=ids, kicked_at__isnull=False)
    kicked = set(away.values_list("session_id", "user_id"))
    return [_stays(reader, users.get(reader.claims.user_id), ended, kicked) for reader in readers]


def _stays(reader: Reader, user: User | None, ended: set[UUID], kicked: set[tuple[UUID, UUID]]) -> bool:
    if user is None or not holds(user, reader.claims.version) or reader.claims.family in ended:
        return False
    return (reader.session_id, user.id) not in kicked and (user.is_staff or not reader.is_staff)


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
