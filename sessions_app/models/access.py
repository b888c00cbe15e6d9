"""sessions_app, nouns: refresh tokens. A token itself is never stored, only its digest."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from uuid_utils.compat import uuid7


class RefreshToken(models.Model):
    """One refresh token; those that were rotated out of each other are a `family`, and are revoked together."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="refresh_tokens")
    family = models.UUIDField(default=uuid7, db_index=True)
    digest = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "refresh_tokens"
        indexes: ClassVar = [models.Index(fields=["expires_at"], name="refresh_tokens_expires_at")]

    def __str__(self) -> str:
        return f"refresh token {self.id}"
