"""sessions_app, nouns: what lets people in. No token is ever stored, only its digest."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from uuid_utils.compat import uuid7

from sessions_app.text import USER_NAME_MAX


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
    is_contested = models.BooleanField(
        default=False, db_default=False, help_text="Whether several came with it at the same time."
    )

    class Meta:
        db_table = "refresh_tokens"
        indexes: ClassVar = [models.Index(fields=["expires_at"], name="refresh_tokens_expires_at")]

    def __str__(self) -> str:
        return f"refresh token {self.id}"


class EndedFamily(models.Model):
    """A family that was revoked: its access tokens are refused for as long as they would have been good."""

    family = models.UUIDField(primary_key=True, editable=False)
    until = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "ended_families"
        verbose_name_plural = "ended families"

    def __str__(self) -> str:
        return f"ended family {self.family}"


class TokenKind(models.TextChoices):
    """What a one-time token does."""

    REGISTER = "register", "makes an account"
    UPGRADE = "upgrade", "makes a guest an account"
    PASSWORD = "password", "sets a new password"  # noqa: S105  the name of a kind
    OAUTH = "oauth", "hands the tokens over that an OAuth provider's word is worth"


class OneTimeToken(models.Model):
    """Something that is done by showing a token once: it was mailed, or stood in an address. The row is what is done.

    `email`, `name` and `password` (its hash) are those of the account to be; `user` is whom it concerns.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=10, choices=TokenKind.choices)
    digest = models.BinaryField(max_length=32, unique=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="one_time_tokens"
    )
    email = models.EmailField(max_length=254, blank=True)
    name = models.CharField(max_length=USER_NAME_MAX, blank=True)
    password = models.CharField(max_length=128, blank=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "one_time_tokens"
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(kind__in=TokenKind.values), name="one_time_tokens_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} token {self.id}"
