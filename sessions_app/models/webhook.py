"""sessions_app, nouns: webhooks: where to tell what happened, what is to be told, and how the telling went.

`WebhookEvent` is the outbox: a row of it is written in the transaction of what it tells of, and for entries of the log
it is only a pointer to them. `WebhookDelivery` is one event on its way to one endpoint.
"""

from typing import ClassVar

from django.db import models
from uuid_utils.compat import uuid7


class WebhookEndpoint(models.Model):
    """An address of somebody else's. Its secrets are encrypted with a key made of `SECRET_KEY`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=80)
    url = models.CharField(max_length=500)
    kinds = models.JSONField(help_text="Which events, such as session.ended, message.* or *.")
    secret = models.TextField(editable=False)
    old_secret = models.TextField(blank=True, default="", editable=False)
    old_until = models.DateTimeField(null=True, blank=True, editable=False, help_text="Until when the old one signs.")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(editable=False)
    failing_since = models.DateTimeField(null=True, blank=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False, help_text="Since the last success.")
    reason = models.CharField(max_length=200, blank=True, default="", help_text="Why the server disabled it.")

    class Meta:
        db_table = "webhook_endpoints"

    def __str__(self) -> str:
        return self.name


class WebhookEvent(models.Model):
    """Something to tell. `data` is null where it stands in the log of the session, under `seq`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=30)
    session = models.UUIDField()
    seq = models.BigIntegerField(default=0)
    data = models.JSONField(null=True)
    at = models.DateTimeField(db_index=True)
    is_spread = models.BooleanField(default=False, help_text="Whether its deliveries have been made.")

    class Meta:
        db_table = "webhook_events"
        indexes: ClassVar = [
            models.Index(fields=["id"], name="webhook_events_waiting", condition=models.Q(is_spread=False)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class DeliveryState(models.TextChoices):
    """Where a delivery stands."""

    PENDING = "pending", "to be sent"
    DELIVERED = "delivered", "delivered"
    FAILED = "failed", "given up"
    WITHDRAWN = "withdrawn", "withdrawn: it was deleted meanwhile"


class WebhookDelivery(models.Model):
    """One event for one endpoint. `attempt` is also the fence: whoever settles it holds the attempt it claimed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    event = models.ForeignKey(WebhookEvent, on_delete=models.CASCADE, related_name="deliveries")
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=10, choices=DeliveryState.choices, default=DeliveryState.PENDING)
    attempt = models.PositiveIntegerField(default=0)
    tries = models.PositiveSmallIntegerField(default=0, help_text="Since it was made, or sent again.")
    next_at = models.DateTimeField(help_text="When it is due; while it is being sent, when it is taken for lost.")
    ended_at = models.DateTimeField(null=True, blank=True)
    status = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Of the last answer.")
    error = models.CharField(max_length=200, blank=True, default="")
    seconds = models.FloatField(null=True, blank=True, help_text="How long the last try took.")

    class Meta:
        db_table = "webhook_deliveries"
        verbose_name_plural = "webhook deliveries"
        indexes: ClassVar = [
            models.Index(
                fields=["endpoint", "next_at"], name="webhook_deliveries_due", condition=models.Q(state="pending")
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["event", "endpoint"], name="webhook_deliveries_once"),
            models.CheckConstraint(condition=models.Q(state__in=DeliveryState.values), name="webhook_deliveries_state"),
        ]

    def __str__(self) -> str:
        return f"delivery {self.id} ({self.state})"
