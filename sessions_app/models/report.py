"""sessions_app, nouns: what people report to staff: somebody in a session, or a message."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from uuid_utils.compat import uuid7

from sessions_app.models.message import Message
from sessions_app.models.participant import Participant
from sessions_app.models.session import Session

NOTE_MAX = 500


class Reason(models.TextChoices):
    """Why."""

    SPAM = "spam", "spam"
    HARASSMENT = "harassment", "harassment"
    HATE = "hate", "hate"
    SEXUAL = "sexual", "sexual content"
    DANGER = "danger", "somebody is in danger"
    OTHER = "other", "something else"


class ReportState(models.TextChoices):
    """Where a report stands."""

    OPEN = "open", "open"
    ACTED = "acted", "something was done"
    DISMISSED = "dismissed", "nothing to be done"


class Report(models.Model):
    """One report. A deleted message stays in the table, so staff still see what was reported."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="reports")
    reporter = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="reports_made"
    )
    participant = models.ForeignKey(Participant, null=True, on_delete=models.SET_NULL, related_name="reports")
    message = models.ForeignKey(Message, null=True, on_delete=models.SET_NULL, related_name="reports")
    reason = models.CharField(max_length=10, choices=Reason.choices)
    note = models.CharField(max_length=NOTE_MAX, blank=True)
    created_at = models.DateTimeField(editable=False)
    state = models.CharField(max_length=9, choices=ReportState.choices, default=ReportState.OPEN)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        db_table = "reports"
        indexes: ClassVar = [
            models.Index(fields=["id"], name="reports_queue", condition=models.Q(state="open")),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(reason__in=Reason.values), name="reports_reason"),
            models.CheckConstraint(condition=models.Q(state__in=ReportState.values), name="reports_state"),
        ]

    def __str__(self) -> str:
        return f"{self.reason} ({self.state})"
