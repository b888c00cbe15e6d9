"""sessions_app, writes: one process counts at a time. Times are on the database's clock.

Every transaction of a run renews the lease in the lease's row, and so holds that row: whoever took a lease that ran out
waits for the transaction under way, and the former holder stops at its next one.
"""

from datetime import timedelta
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Now

from sessions_app.models import RollupLease

LEASE = timedelta(seconds=60)


class Lost(Exception):  # noqa: N818  not an error: another process goes on with it
    """Another process took the lease over."""


def take(holder: UUID, *, when_due: bool) -> bool:
    """Take the lease where nobody holds it, with `when_due` only if servers are to count again."""
    RollupLease.objects.bulk_create([RollupLease()], ignore_conflicts=True)
    rows = RollupLease.objects.filter(Q(holder__isnull=True) | Q(lease_until__lt=Now()))
    if when_due:
        rows = rows.filter(Q(next_at__isnull=True) | Q(next_at__lte=Now()))
    return rows.update(holder=holder, lease_until=Now() + LEASE) == 1


def renew(holder: UUID) -> None:
    """Keep it; to be called first in each transaction. Raises `Lost`."""
    if RollupLease.objects.filter(holder=holder).update(lease_until=Now() + LEASE) != 1:
        raise Lost


def give_back(holder: UUID, *, again_in: float, done: bool) -> None:
    """Let others count, servers in so many seconds; 0: at once, whatever the database's clock has for a fraction."""
    changes = {"done_at": Now()} if done else {}
    next_at = Now() + timedelta(seconds=again_in) if again_in else None
    RollupLease.objects.filter(holder=holder).update(holder=None, next_at=next_at, **changes)
