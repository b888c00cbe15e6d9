"""sessions_app, writes: the streams that a process has open, so that they can be listed and asked to end."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from sessions_app.models import ServerProcess, Stream


class OpenStream(NamedTuple):
    """A stream of the calling process; `user_id` is None where nobody said who reads."""

    id: UUID
    session_id: UUID
    user_id: UUID | None
    opened_at: datetime


@transaction.atomic
def enter_streams(*, process_id: UUID, begun: Sequence[OpenStream], ended: Sequence[UUID]) -> bool:
    """Write down which streams began, and forget those that ended; False where the process is not in the book now."""
    if not ServerProcess.objects.select_for_update().filter(pk=process_id).exists():
        return False
    Stream.objects.filter(pk__in=ended, process_id=process_id).delete()
    Stream.objects.bulk_create(
        Stream(id=one.id, session=one.session_id, user=one.user_id, process_id=process_id, opened_at=one.opened_at)
        for one in begun
    )
    return True
