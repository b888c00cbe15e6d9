"""sessions_app, nouns: personas, their versions that never change, and what their answers have cost so far."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from uuid_utils.compat import uuid7


class VersionState(models.TextChoices):
    """Where a version stands. Only a published one comes to sessions."""

    DRAFT = "draft", "draft"
    PUBLISHED = "published", "published"


class SpiritPersona(models.Model):
    """A spirit by name, in one language. `current` is the version that new sessions get; without one it is hidden."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=50, db_index=False)
    locale = models.CharField(max_length=10, default="en")
    name = models.CharField(max_length=50)
    current = models.ForeignKey(
        "PersonaVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="current_of"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        db_table = "spirit_personas"
        constraints: ClassVar = [models.UniqueConstraint(fields=["slug", "locale"], name="spirit_personas_slug_locale")]

    def __str__(self) -> str:
        return f"{self.slug} ({self.locale})"


class PersonaVersion(models.Model):
    """One version. `content` is a `spirits.base.Persona` as JSON; once published it never changes again."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    persona = models.ForeignKey(SpiritPersona, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=VersionState.choices, default=VersionState.DRAFT)
    content = models.JSONField()
    digest = models.CharField(max_length=64, help_text="SHA-256 of the content.")
    note = models.CharField(max_length=200, blank=True, help_text="Where it came from, or what changed.")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    published_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "persona_versions"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["persona", "number"], name="persona_versions_number"),
            models.CheckConstraint(
                condition=models.Q(state="draft", published_at__isnull=True)
                | models.Q(state="published", published_at__isnull=False),
                name="persona_versions_published",
            ),
        ]

    def __str__(self) -> str:
        return f"version {self.number} ({self.state})"


class Spending(models.Model):
    """What was spent of one budget on one day: `scope` is seat, session, provider or installation, `key` whose."""

    scope = models.CharField(max_length=12)
    key = models.CharField(max_length=80)
    day = models.DateField()
    calls = models.PositiveIntegerField(default=0)
    tokens = models.PositiveBigIntegerField(default=0)
    cost_microcents = models.PositiveBigIntegerField(default=0, help_text="1e-8 of the currency unit.")

    class Meta:
        db_table = "spirit_spendings"
        verbose_name_plural = "spendings"
        constraints: ClassVar = [models.UniqueConstraint(fields=["scope", "key", "day"], name="spirit_spendings_one")]

    def __str__(self) -> str:
        return f"{self.scope} {self.key} on {self.day}"


class Reservation(models.Model):
    """What is set aside for one call of a model, from before the call until it is settled.

    Past `expires_at` nobody lives who could settle it: the next reservation gives it back to the budgets of its `day`.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Plain ids: what is erased meanwhile must not take the count of the budgets with it.
    session_id = models.UUIDField()
    user_id = models.UUIDField(null=True)
    provider = models.CharField(max_length=50)
    day = models.DateField()
    tokens = models.PositiveIntegerField()
    expires_at = models.DateTimeField(help_text="On the database's clock.")

    class Meta:
        db_table = "spirit_reservations"

    def __str__(self) -> str:
        return f"{self.tokens} tokens of {self.provider} on {self.day}"
