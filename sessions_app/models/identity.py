"""sessions_app, nouns: who somebody is elsewhere: accounts at OAuth providers, and the way there and back."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from uuid_utils.compat import uuid7

PROVIDER_MAX, SUBJECT_MAX = 40, 255


class Identity(models.Model):
    """A person's account at a provider; `subject` is the provider's own name for it, which never changes."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="identities")
    provider = models.CharField(max_length=PROVIDER_MAX)
    subject = models.CharField(max_length=SUBJECT_MAX)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        db_table = "identities"
        verbose_name_plural = "identities"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "subject"], name="identities_subject"),
            models.UniqueConstraint(fields=["user", "provider"], name="identities_once"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} of {self.user_id}"


class OAuthAttempt(models.Model):
    """A browser that was sent to a provider. It is used up by the first answer, good or bad.

    `digest` is that of the `state`, `browser` that of the cookie which ties the answer to the browser that asked.
    `user` is who asked to link the provider; null where somebody wants to come in.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.CharField(max_length=PROVIDER_MAX)
    digest = models.BinaryField(max_length=32, unique=True)
    browser = models.BinaryField(max_length=32)
    nonce = models.CharField(max_length=64)
    verifier = models.CharField(max_length=64)
    next = models.CharField(max_length=2000, blank=True)
    by_cookie = models.BooleanField(default=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+")
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "oauth_attempts"

    def __str__(self) -> str:
        return f"attempt at {self.provider}"
