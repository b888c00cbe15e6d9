"""sessions_app, the kitchen: the outbox of webhooks, written by `publish` in the transaction of what it publishes.

Where no endpoint is active nothing is written, and finding that out costs one tiny query in `KNOWN_SECONDS`. So an
endpoint hears what begins later than that after it was made, and of that everything.
"""

import time
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import connection

from sessions_app import events
from sessions_app.models import WebhookEndpoint, WebhookEvent
from sessions_app.webhooks.kinds import KINDS

KNOWN_SECONDS = 2.0

_is_wanted, _known_until = False, 0.0
_frame = msgspec.json.Decoder(events.Frame)


def is_wanted() -> bool:
    """Whether any endpoint is active, as it was at most `KNOWN_SECONDS` ago."""
    global _is_wanted, _known_until  # noqa: PLW0603  one process, one answer
    if time.monotonic() >= _known_until:
        asked_at = time.monotonic()
        _is_wanted = WebhookEndpoint.objects.filter(is_active=True).exists()
        _known_until = asked_at + KNOWN_SECONDS
    return _is_wanted


def forget() -> None:
    """Look again at the next need: an endpoint was changed here."""
    global _known_until  # noqa: PLW0603  see above
    _known_until = 0.0


def keep(told: Iterable[tuple[str, UUID | str, int, str]]) -> None:
    """Write events, as (event, session, seq, frame), into the outbox; those without a kind are nobody's business.

    Must be called in the transaction of what happened. A frame of the log is not kept: the log has it.
    """
    wanted = [item for item in told if item[0] in KINDS]
    if not wanted or not is_wanted():
        return
    if not connection.in_atomic_block:
        raise RuntimeError("An event must be written in the transaction of what it tells of.")
    rows = []
    for event, session, seq, text in wanted:
        frame = _frame.decode(text)
        data = None if seq else frame.data
        rows.append(WebhookEvent(kind=KINDS[event], session=session, seq=seq, data=data, at=frame.timestamp))
    WebhookEvent.objects.bulk_create(rows)


def entry(kind: str, session: UUID, data: msgspec.Struct, at: datetime) -> list[WebhookEvent]:
    """What is to be stored together with what happened, of an event that no socket is told of: a row, or none."""
    if not is_wanted():
        return []
    return [WebhookEvent(kind=kind, session=session, data=msgspec.to_builtins(data), at=at)]
