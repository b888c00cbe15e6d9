"""sessions_app, writes: webhooks on their way: events are spread over endpoints, claimed, settled, forgotten.

The rows are the queue. A claim moves a delivery's due time past the longest that a try can take: whoever is killed in
the middle leaves it to be claimed anew, under the same id. Whoever settles must hold the attempt that it claimed.
"""

import random
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import structlog
from django.db import connection, transaction
from django.db.models import Model, QuerySet
from django.db.models.functions import Now

from sessions_app import events, outbox
from sessions_app.models import DeliveryState, WebhookDelivery, WebhookEndpoint, WebhookEvent
from sessions_app.selectors import history
from sessions_app.services.webhooks.endpoints import disable, good_secrets
from sessions_app.webhooks.kinds import Body, wants
from sessions_app.webhooks.sending import DEADLINE, Outcome
from sessions_app.webhooks.signing import Unreadable

log = structlog.get_logger("seance.webhooks")

AT_ONCE = 8  # requests of one process to one endpoint: a slow one fills only its own places
LEASE = timedelta(seconds=3 * DEADLINE)
# Seconds from one try to the next: eleven tries over a day, each wait ± 10 %.
DELAYS = (5, 30, 120, 600, 1800, 3600, 7200, 14_400, 21_600, 36_000)
DISABLED_AFTER, DISABLED_FROM = timedelta(days=1), 10  # how long nothing went through, and how many tries at least
KEPT_FOR = timedelta(days=3)
SPREAD_MAX, PRUNE_MAX = 500, 1000


class Claim(NamedTuple):
    """A delivery that the caller tries now, as attempt `attempt`; `body` is what is posted."""

    delivery_id: UUID
    attempt: int
    endpoint_id: UUID
    url: str
    secrets: tuple[str, ...]
    event_id: UUID
    body: bytes


class Found(NamedTuple):
    """What there is to do, whether there is more, and for how many seconds what is due has waited at most."""

    claims: list[Claim]
    is_more: bool
    lag: float


class _Frame(msgspec.Struct):
    data: msgspec.Raw


_frame = msgspec.json.Decoder(_Frame)


def work(busy: Mapping[UUID, int]) -> Found | None:
    """Spread what is new, and claim what is due; None where there is no active endpoint.

    `busy` says how many requests to each endpoint the caller has under way.
    """
    if not outbox.is_wanted():
        return None
    is_more = spread() == SPREAD_MAX
    claims, lag = claim(busy)
    return Found(claims, is_more, lag)


def _skipping(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Locked, without those that another process holds."""
    return rows.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)


@transaction.atomic
def spread() -> int:
    """Make the deliveries of new events; returns of how many events."""
    rows = list(_skipping(WebhookEvent.objects.filter(is_spread=False).order_by("id"))[:SPREAD_MAX])
    if rows:
        endpoints = list(WebhookEndpoint.objects.filter(is_active=True))
        at = events.now()
        WebhookDelivery.objects.bulk_create(
            WebhookDelivery(event=row, endpoint=endpoint, next_at=at)
            for row in rows
            for endpoint in endpoints
            if wants(endpoint.kinds, row.kind)
        )
        WebhookEvent.objects.filter(pk__in=_ids(rows)).update(is_spread=True)
    return len(rows)


def _ids(rows: list[Any]) -> list[Any]:
    return [row.pk for row in rows if isinstance(row, Model)]


@transaction.atomic
def claim(busy: Mapping[UUID, int]) -> tuple[list[Claim], float]:
    """Claim what is due, for each endpoint as much as there is room for; and the longest wait, in seconds."""
    claims: list[Claim] = []
    lag = 0.0
    for endpoint in WebhookEndpoint.objects.filter(is_active=True).order_by("id"):
        room = AT_ONCE - busy.get(endpoint.id, 0)
        due = endpoint.deliveries.filter(state=DeliveryState.PENDING, next_at__lte=Now()).order_by("next_at")
        oldest = due.values_list("next_at", flat=True).first()
        if oldest is None:
            continue
        lag = max(lag, (events.now() - oldest).total_seconds())
        try:
            secrets = tuple(good_secrets(endpoint))
        except Unreadable:
            _disable_unreadable(endpoint.id)
            continue
        rows = list(_skipping(due.select_related(None))[: max(0, room)]) if room > 0 else []
        claims += _claimed(endpoint, secrets, rows)
    return claims, lag


def _disable_unreadable(endpoint_id: UUID) -> None:
    """Before any of its deliveries is locked, see `settle`."""
    row = WebhookEndpoint.objects.select_for_update().filter(pk=endpoint_id, is_active=True).first()
    if row is not None:
        disable(row, "its secret was made under another SECRET_KEY: rotate it")


def _claimed(endpoint: WebhookEndpoint, secrets: tuple[str, ...], rows: list[WebhookDelivery]) -> list[Claim]:
    told = WebhookEvent.objects.in_bulk([row.event_id for row in rows])
    found = []
    for row in rows:
        body = _body(told[row.event_id])
        if body is None:
            row.state, row.ended_at = DeliveryState.WITHDRAWN, events.now()
            row.save(update_fields=["state", "ended_at"])
            continue
        row.attempt, row.tries = row.attempt + 1, row.tries + 1
        row.next_at = Now() + LEASE
        row.save(update_fields=["attempt", "tries", "next_at"])
        found.append(Claim(row.id, row.attempt, endpoint.id, endpoint.url, secrets, row.event_id, body))
    return found


def _body(row: WebhookEvent) -> bytes | None:
    """What is posted; None where the log has it no more: a message that was deleted is told nobody."""
    data: Any = row.data
    if row.seq and data is None:
        entries = history.entries(row.session, after_seq=row.seq - 1, upto_seq=row.seq)
        if not entries:
            return None
        data = _frame.decode(entries[0].text).data
    return msgspec.json.encode(Body(row.id, row.kind, row.at, row.session, row.seq, data))


@transaction.atomic
def settle(claim: Claim, outcome: Outcome) -> str:
    """Write down how a try went; returns `delivered`, `failed` (it is tried again), `given_up`, or `lost`, where the
    attempt is the caller's no more."""
    # An endpoint, where there is anything to note of it, before its deliveries: so does whoever deletes both.
    endpoints = WebhookEndpoint.objects.select_for_update().filter(pk=claim.endpoint_id)
    endpoint = (endpoints.filter(failures__gt=0) if outcome.is_delivered else endpoints).first()
    rows = WebhookDelivery.objects.select_for_update()
    row = rows.filter(pk=claim.delivery_id, attempt=claim.attempt, state=DeliveryState.PENDING).first()
    if row is None:
        return "lost"
    row.status, row.error, row.seconds = outcome.status, outcome.error[:200], outcome.seconds
    ends = outcome.is_delivered or row.tries > len(DELAYS)
    if ends:
        row.state = DeliveryState.DELIVERED if outcome.is_delivered else DeliveryState.FAILED
        row.ended_at = events.now()
    else:
        seconds = max(DELAYS[row.tries - 1] * random.uniform(0.9, 1.1), outcome.retry_after)
        row.next_at = Now() + timedelta(seconds=seconds)
    row.save()
    if endpoint is not None and outcome.is_delivered:
        endpoint.failures, endpoint.failing_since = 0, None
        endpoint.save(update_fields=["failures", "failing_since"])
    elif endpoint is not None and endpoint.is_active:
        _count_failure(endpoint, is_gone=outcome.is_gone)
    if outcome.is_delivered:
        return "delivered"
    return "given_up" if ends else "failed"


def _count_failure(row: WebhookEndpoint, *, is_gone: bool) -> None:
    """One more of a locked endpoint; one that said it is gone, or has failed for a day, is disabled."""
    row.failures += 1
    row.failing_since = row.failing_since or events.now()
    row.save(update_fields=["failures", "failing_since"])
    has_failed = row.failures >= DISABLED_FROM and events.now() - row.failing_since > DISABLED_AFTER
    if is_gone or has_failed:
        disable(row, "it answered 410 Gone" if is_gone else f"{row.failures} tries failed over a day")
        log.warning("webhook_disabled", endpoint=str(row.id), failures=row.failures, is_gone=is_gone)


def prune() -> int:
    """Forget old events with their deliveries, some at a time; returns how many events."""
    old = WebhookEvent.objects.filter(at__lt=Now() - KEPT_FOR).order_by("at").values_list("pk", flat=True)
    ids = list(old[:PRUNE_MAX])
    if ids:
        WebhookEvent.objects.filter(pk__in=ids).delete()
    return len(ids)
