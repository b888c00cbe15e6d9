"""sessions_app, nouns: who sits in a session, over which sockets, of which process.

A seat is a participant whose `left_at` is null. A socket is a `Connection`; it lives as long as the lease of its
`ServerProcess`, so that one statement renews all the sockets of a process, and a killed process frees its seats.
"""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from uuid_utils.compat import uuid7

from sessions_app.models.session import Session
from sessions_app.text import USER_NAME_MAX


class Role(models.TextChoices):
    """What a participant may do; an observer reads, and takes no seat."""

    HOST = "host", "host"
    PARTICIPANT = "participant", "participant"
    OBSERVER = "observer", "observer"


class Participant(models.Model):
    """A person in a session; the row stays when the person leaves."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="participants", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="participations")
    name = models.CharField(max_length=USER_NAME_MAX)
    role = models.CharField(max_length=11, choices=Role.choices, default=Role.PARTICIPANT)
    joined_at = models.DateTimeField(default=timezone.now, editable=False)
    left_at = models.DateTimeField(null=True, blank=True)
    away_since = models.DateTimeField(null=True, blank=True, editable=False)
    is_muted = models.BooleanField(default=False)
    is_role_given = models.BooleanField(
        default=False, db_default=False, help_text="Whether the host gave the role, so that a rejoin keeps it."
    )
    kicked_at = models.DateTimeField(null=True, blank=True)
    looks_like = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="Who sat there already with a name that reads the same.",
    )

    class Meta:
        db_table = "participants"
        indexes: ClassVar = [
            models.Index(
                fields=["away_since"],
                name="participants_away",
                condition=models.Q(left_at__isnull=True, away_since__isnull=False),
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["session", "user"], name="participants_once"),
            models.CheckConstraint(
                condition=models.Q(name__length__gte=1, name__length__lte=USER_NAME_MAX),
                name="participants_name_length",
            ),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="participants_role"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.role})"


class Stay(models.Model):
    """A former stay of a participant who left and came back; the row of the participant has the latest one."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    participant = models.ForeignKey(Participant, on_delete=models.CASCADE, related_name="stays")
    joined_at = models.DateTimeField()
    left_at = models.DateTimeField()

    class Meta:
        db_table = "stays"

    def __str__(self) -> str:
        return f"from {self.joined_at} to {self.left_at}"


class ServerProcess(models.Model):
    """A process that holds sockets; `lease_until` is on the database's clock."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200, unique=True)
    started_at = models.DateTimeField()
    lease_until = models.DateTimeField()

    class Meta:
        db_table = "server_processes"
        verbose_name_plural = "server processes"

    def __str__(self) -> str:
        return self.name


class Connection(models.Model):
    """An open socket. `close_code` asks its process to close it, whether or not the word came over Redis."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    participant = models.ForeignKey(Participant, on_delete=models.CASCADE, related_name="connections")
    process = models.ForeignKey(ServerProcess, on_delete=models.CASCADE, related_name="connections")
    opened_at = models.DateTimeField(default=timezone.now, editable=False)
    close_code = models.PositiveSmallIntegerField(null=True, blank=True)

    class Meta:
        db_table = "connections"
        indexes: ClassVar = [
            models.Index(fields=["process"], name="connections_to_close", condition=models.Q(close_code__isnull=False)),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Stream(models.Model):
    """An open stream of Server-Sent Events, which has a reader and no seat; `close_code` as of a `Connection`.

    Its process writes it with its head poll, after the fact: so it names session and reader without foreign keys, which
    a deletion in between would break.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.UUIDField()
    user = models.UUIDField(null=True, blank=True, help_text="Empty where nobody said who reads.")
    process = models.ForeignKey(ServerProcess, on_delete=models.CASCADE, related_name="streams")
    opened_at = models.DateTimeField(editable=False)
    close_code = models.PositiveSmallIntegerField(null=True, blank=True)

    class Meta:
        db_table = "streams"

    def __str__(self) -> str:
        return str(self.id)
