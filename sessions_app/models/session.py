"""sessions_app, nouns: a séance. Its row is the lock and the counter under which everything in it is ordered."""

import secrets
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from uuid_utils.compat import uuid7

from sessions_app.text import SESSION_NAME_MAX, THEME_MAX

MAX_USERS_MIN, MAX_USERS_DEFAULT = 2, 6
MAX_USERS_CEILING = 1000  # what the setting MAX_USERS_LIMIT may raise the limit to


class Access(models.TextChoices):
    """Who may know of a session."""

    OPEN = "open", "whoever has its id"
    MEMBERS = "members", "any account"
    INVITE = "invite", "its people, and whoever shows an invite"


class Mode(models.TextChoices):
    """When the spirit answers."""

    OPEN = "open", "every message is a question"
    SUMMONED = "summoned", "only a message that names it"
    CIRCLE = "circle", "only the seat whose turn it is"
    CHORUS = "chorus", "questions gathered, one answer"
    OFF = "off", "never"


class Pace(models.TextChoices):
    """How fast the planchette moves."""

    RITUAL = "ritual", "ritual"
    BRISK = "brisk", "brisk"
    INSTANT = "instant", "instant"


def new_epoch() -> str:
    """A name for a log: it changes when the log is restored, so that positions in it cannot be mixed up."""
    return secrets.token_hex(6)


def new_seed() -> int:
    """63 random bits, which fix whatever the oracle makes up in a session."""
    return secrets.randbits(63)


class Session(models.Model):
    """A séance."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=SESSION_NAME_MAX)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    max_users = models.PositiveSmallIntegerField(default=MAX_USERS_DEFAULT)
    is_active = models.BooleanField(default=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    host = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="hosted_sessions"
    )
    access = models.CharField(max_length=10, choices=Access.choices, default=Access.OPEN)
    is_listed = models.BooleanField(default=False)
    is_locked = models.BooleanField(default=False, db_default=False, help_text="Nobody new is let in.")
    spirit_mode = models.CharField(max_length=10, choices=Mode.choices, default=Mode.OPEN)
    spirit_pace = models.CharField(max_length=10, choices=Pace.choices, default=Pace.RITUAL)
    spirit_persona = models.SlugField(max_length=50, default="the-spirit", db_index=False)
    spirit_locale = models.CharField(max_length=10, default="en", db_default="en")
    # Pinned by the session's first turn, and let go when the persona is changed: an evening has one spirit.
    spirit_version = models.ForeignKey(
        "PersonaVersion", null=True, blank=True, on_delete=models.SET_NULL, related_name="sessions"
    )
    # What the host may set, as data below the persona; unset: the persona's own.
    spirit_warmth = models.PositiveSmallIntegerField(null=True, blank=True)
    spirit_riddling = models.PositiveSmallIntegerField(null=True, blank=True)
    spirit_menace = models.PositiveSmallIntegerField(null=True, blank=True)
    spirit_theme = models.CharField(max_length=THEME_MAX, blank=True, default="", db_default="")
    circle_seat = models.UUIDField(null=True, blank=True, help_text="The user whose turn it is in a circle.")
    circle_since = models.DateTimeField(null=True, blank=True, help_text="Since when.")
    seed = models.BigIntegerField(default=new_seed, editable=False)
    epoch = models.CharField(max_length=12, default=new_epoch, editable=False)
    last_seq = models.BigIntegerField(default=0, editable=False)
    presence_version = models.BigIntegerField(default=0, editable=False, help_text="Counts joins and leaves.")

    class Meta:
        db_table = "sessions"
        indexes: ClassVar = [
            models.Index(fields=["created_at"], name="sessions_created_at"),
            models.Index(fields=["is_active"], name="sessions_is_active"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(name__length__gte=1, name__length__lte=SESSION_NAME_MAX), name="sessions_name_length"
            ),
            models.CheckConstraint(
                condition=models.Q(max_users__gte=MAX_USERS_MIN, max_users__lte=MAX_USERS_CEILING),
                name="sessions_max_users",
            ),
            models.CheckConstraint(
                condition=models.Q(is_active=True, ended_at__isnull=True)
                | models.Q(is_active=False, ended_at__isnull=False),
                name="sessions_ended_or_active",
            ),
            models.CheckConstraint(condition=models.Q(last_seq__gte=0), name="sessions_last_seq"),
            models.CheckConstraint(condition=models.Q(access__in=Access.values), name="sessions_access"),
            models.CheckConstraint(condition=models.Q(spirit_mode__in=Mode.values), name="sessions_spirit_mode"),
            models.CheckConstraint(condition=models.Q(spirit_pace__in=Pace.values), name="sessions_spirit_pace"),
        ]

    def __str__(self) -> str:
        return self.name
