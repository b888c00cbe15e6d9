"""sessions_app, nouns: invites. A code is shown once, when it is made; only its digest is stored."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from uuid_utils.compat import uuid7

from sessions_app.models.session import Session


class Invite(models.Model):
    """What lets its bearer know of a session and join it. `uses` counts people, under the session's lock."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="invites")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="invites_made"
    )
    digest = models.BinaryField(max_length=32, unique=True)
    max_uses = models.PositiveIntegerField(null=True, blank=True, help_text="Unset: any number of people.")
    uses = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "invites"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(max_uses__isnull=True) | models.Q(uses__lte=models.F("max_uses")),
                name="invites_uses",
            ),
        ]

    def __str__(self) -> str:
        return f"invite {self.id}"
