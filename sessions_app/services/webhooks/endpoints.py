"""sessions_app, writes: where webhooks go: endpoints are made, changed, given other secrets, disabled, deleted.

Superusers only: whoever makes an endpoint reads every room.
"""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from sessions_app import events, outbox
from sessions_app.errors import Code, SeanceError, invalid
from sessions_app.models import Act, DeliveryState, User, WebhookDelivery, WebhookEndpoint, WebhookEvent
from sessions_app.services.audit import record
from sessions_app.webhooks.kinds import PATTERNS, PING
from sessions_app.webhooks.signing import Unreadable, new_secret, seal, unseal
from sessions_app.webhooks.targets import Forbidden, check_url

ENDPOINTS_MAX = 50  # each may hold a few connections of every process
NAME_MAX = 80
OVERLAP = timedelta(days=1)  # for which the secret before still signs


def _may(actor: User | None) -> None:
    if actor is None or not actor.is_superuser:
        raise SeanceError(Code.FORBIDDEN)


def _checked(name: str, url: str, kinds: Sequence[str]) -> tuple[str, str, list[str]]:
    """The three, put in order; raises `VALIDATION_ERROR` with all that is wrong."""
    wrong: dict[str, str | Sequence[str]] = {}
    name = " ".join(name.split())
    if not 0 < len(name) <= NAME_MAX or not name.isprintable():
        wrong["name"] = f"A name has 1 to {NAME_MAX} characters."
    try:
        check_url(url.strip())
    except Forbidden as refused:
        wrong["url"] = f"This is refused: {refused}."
    found = [pattern for pattern in PATTERNS if pattern in kinds]
    if not found or set(kinds) - set(PATTERNS):
        wrong["kinds"] = f"Choose at least one of {', '.join(PATTERNS)}."
    if wrong:
        raise invalid(**wrong)
    return name, url.strip(), found


@transaction.atomic
def create_endpoint(*, actor: User | None, name: str, url: str, kinds: Sequence[str]) -> tuple[WebhookEndpoint, str]:
    """Make an endpoint; returns it and its secret, which is told this once. Raises `FORBIDDEN`, `VALIDATION_ERROR`."""
    _may(actor)
    name, url, found = _checked(name, url, kinds)
    if WebhookEndpoint.objects.count() >= ENDPOINTS_MAX:
        raise invalid(url=f"There are {ENDPOINTS_MAX} endpoints; that is the most.")
    secret = new_secret()
    row = WebhookEndpoint.objects.create(name=name, url=url, kinds=found, secret=seal(secret), created_at=events.now())
    record(Act.CREATE_WEBHOOK, actor=actor, target=row.id, kinds=found)
    transaction.on_commit(outbox.forget)
    return row, secret


def _locked(endpoint_id: UUID) -> WebhookEndpoint:
    row = WebhookEndpoint.objects.select_for_update().filter(pk=endpoint_id).first()
    if row is None:
        raise SeanceError(Code.NOT_FOUND)
    return row


@transaction.atomic
def update_endpoint(
    *, actor: User | None, endpoint_id: UUID, name: str, url: str, kinds: Sequence[str], is_active: bool
) -> WebhookEndpoint:
    """Change an endpoint. One that is active again goes on with what waits. Raises what making one raises."""
    _may(actor)
    row = _locked(endpoint_id)
    name, url, found = _checked(name, url, kinds)
    given = {"name": name, "url": url, "kinds": found, "is_active": is_active}
    changed = [field for field, value in given.items() if getattr(row, field) != value]
    if changed:
        for field in changed:
            setattr(row, field, given[field])
        if is_active:
            row.failing_since, row.failures, row.reason = None, 0, ""
        row.save()
        record(Act.UPDATE_WEBHOOK, actor=actor, target=row.id, fields=changed)
        transaction.on_commit(outbox.forget)
    return row


@transaction.atomic
def rotate_secret(*, actor: User | None, endpoint_id: UUID) -> str:
    """Give an endpoint another secret, which is returned; the one before signs too for a day. Raises `NOT_FOUND`."""
    _may(actor)
    row, secret = _locked(endpoint_id), new_secret()
    row.old_secret, row.old_until, row.secret = row.secret, events.now() + OVERLAP, seal(secret)
    row.save(update_fields=["old_secret", "old_until", "secret"])
    record(Act.ROTATE_WEBHOOK, actor=actor, target=row.id)
    return secret


def good_secrets(row: WebhookEndpoint) -> list[str]:
    """The secrets that sign at the moment, the newest first; raises `Unreadable` where the newest is."""
    found = [unseal(row.secret)]
    if row.old_secret and row.old_until is not None and row.old_until > events.now():
        try:
            found.append(unseal(row.old_secret))
        except Unreadable:
            pass
    return found


@transaction.atomic
def delete_endpoint(*, actor: User | None, endpoint_id: UUID) -> None:
    """Delete an endpoint with all that was on its way to it."""
    _may(actor)
    row = _locked(endpoint_id)
    record(Act.DELETE_WEBHOOK, actor=actor, target=row.id)
    row.delete()
    transaction.on_commit(outbox.forget)


def disable(row: WebhookEndpoint, reason: str) -> None:
    """Disable a locked endpoint, by the server's own decision."""
    row.is_active, row.reason = False, reason
    row.save(update_fields=["is_active", "reason"])
    record(Act.DISABLE_WEBHOOK, actor=None, target=row.id, failures=row.failures)
    transaction.on_commit(outbox.forget)


@transaction.atomic
def ping(*, actor: User | None, endpoint_id: UUID) -> WebhookDelivery:
    """Send an endpoint a `webhook.ping`, whatever it wants to hear of."""
    _may(actor)
    row = _locked(endpoint_id)
    event = WebhookEvent.objects.create(
        kind=PING, session=UUID(int=0), data={"endpoint": row.name}, at=events.now(), is_spread=True
    )
    return WebhookDelivery.objects.create(id=uuid7(), event=event, endpoint=row, next_at=Now())


@transaction.atomic
def replay(*, actor: User | None, deliveries: QuerySet[WebhookDelivery]) -> int:
    """Send deliveries that have ended again, under the same id and from the first try; returns how many."""
    _may(actor)
    ended = deliveries.exclude(state=DeliveryState.PENDING)
    found = list(ended.values_list("pk", "endpoint_id"))
    rows = WebhookDelivery.objects.filter(pk__in=[pk for pk, _ in found])
    rows.update(state=DeliveryState.PENDING, tries=0, next_at=Now(), ended_at=None)
    endpoints = [endpoint for _, endpoint in found]
    for endpoint in dict.fromkeys(endpoints):
        record(Act.REPLAY_WEBHOOK, actor=actor, target=endpoint, deliveries=endpoints.count(endpoint))
    return len(found)
