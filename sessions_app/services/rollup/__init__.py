"""sessions_app, writes: the rollup tables, brought up to date with the raw rows, by a command and by the servers.

A run may be cut off anywhere and begun again: each transaction leaves counted sessions and the days they touch marked.
"""

from collections.abc import Callable
from datetime import date
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from uuid_utils.compat import uuid7

from sessions_app.services.rollup import days, lease, sessions
from sessions_app.services.rollup.lease import Lost
from sessions_app.services.rollup.sessions import mark_days, mark_stale

BATCH = 100  # sessions in one transaction

Progress = Callable[[int, int], None]


class Done(NamedTuple):
    """What a run counted."""

    sessions: int
    days: int


def refresh(*, every: float) -> Done | None:
    """A server's run, if it is due and nobody else is at it; the next one is due in `every` seconds."""
    return _run(again_in=every, when_due=True, since=None, tell=_silent)


def rollup(*, since: date | None = None, tell: Progress | None = None) -> Done | None:
    """Bring everything up to date, with `since` what touches that day or a later one from scratch.

    `tell` hears of (sessions, days) as they are done. None where somebody else is at it.
    """
    return _run(again_in=0, when_due=False, since=since, tell=tell or _silent)


def _silent(_sessions: int, _days: int) -> None:
    pass


def _run(*, again_in: float, when_due: bool, since: date | None, tell: Progress) -> Done | None:
    holder = uuid7()
    if not lease.take(holder, when_due=when_due):
        return None
    is_done = False
    try:
        found = _count(holder, since, tell)
        is_done = True
    except Lost:
        return None
    finally:
        lease.give_back(holder, again_in=again_in, done=is_done)
    return found


def _count(holder: UUID, since: date | None, tell: Progress) -> Done:
    if since is not None:
        with transaction.atomic():
            lease.renew(holder)
            sessions.mark_since(since)
    counted, after = 0, None
    # Once through, so that a session which never rests cannot keep a run for ever.
    while ids := sessions.changed(BATCH, after):
        after = ids[-1]
        sessions.prepare(ids)
        with transaction.atomic():
            lease.renew(holder)
            sessions.count_sessions(ids)
        counted += len(ids)
        tell(counted, 0)
    added = 0
    for day in days.stale_days(100_000):
        with transaction.atomic():
            lease.renew(holder)
            days.count_day(day)
        added += 1
        tell(counted, added)
    return Done(counted, added)


__all__ = ["Done", "Lost", "mark_days", "mark_stale", "refresh", "rollup"]
