"""sessions_app, nouns: a turn of the spirit, from question to end. The rows are the queue."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from uuid_utils.compat import uuid7

from sessions_app.models.message import Message
from sessions_app.models.session import Session


class TurnState(models.TextChoices):
    """Where a turn stands; every state but the first two is an end, and there is exactly one."""

    QUEUED = "queued", "waits"
    ACTIVE = "active", "is being answered"
    ANSWERED = "answered", "answered"
    CANCELLED = "cancelled", "cancelled"
    FAILED = "failed", "failed"
    WITHDRAWN = "withdrawn", "withdrawn"
    MERGED = "merged", "merged into another"


class SpiritTurn(models.Model):
    """One question and its way to an answer.

    A turn is claimed with a lease (`lease_until`, on the database's clock) and a fence (`attempt`): whoever writes its
    end must hold the attempt it claimed, so that a process that was thought dead cannot write a second one.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="turns")
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="turns")
    asker = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="spirit_turns"
    )
    state = models.CharField(max_length=10, choices=TurnState.choices, default=TurnState.QUEUED)
    number = models.PositiveIntegerField(help_text="Which turn of its session it is, from 1.")
    attempt = models.PositiveSmallIntegerField(default=0, help_text="The fence: each claim takes the next one.")
    lost = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="How many holders let their lease run out."
    )
    place = models.PositiveSmallIntegerField(null=True, blank=True, help_text="The place that was told last.")
    merged_into = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="merged")
    lease_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    ready_at = models.DateTimeField(null=True, blank=True, help_text="In a chorus: when the gathering is over.")
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    code = models.CharField(max_length=30, blank=True, help_text="Why it failed, or who cancelled it.")
    # The planchette's script: when it begins and ends on the board.
    moves_at = models.DateTimeField(null=True, blank=True)
    moves_until = models.DateTimeField(null=True, blank=True)
    # Provenance: what the answer had heard, who gave it, and what it cost.
    context_from = models.BigIntegerField(
        default=0, db_default=0, help_text="The first entry of the log that the answer had heard."
    )
    context_seq = models.BigIntegerField(default=0, help_text="The last one.")
    persona = models.ForeignKey("PersonaVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="turns")
    provider = models.CharField(max_length=50, blank=True)
    model = models.CharField(max_length=100, blank=True)
    prompt_hash = models.CharField(max_length=64, blank=True, default="", db_default="")
    seed = models.BigIntegerField(null=True, blank=True)
    source = models.CharField(max_length=10, blank=True, default="", db_default="")
    degraded = models.CharField(max_length=20, blank=True, default="", db_default="")
    prompt_tokens = models.PositiveIntegerField(default=0, db_default=0)
    completion_tokens = models.PositiveIntegerField(default=0, db_default=0)
    cost_microcents = models.PositiveBigIntegerField(default=0, db_default=0, help_text="1e-8 of the currency unit.")

    class Meta:
        db_table = "spirit_turns"
        indexes: ClassVar = [
            models.Index(
                fields=["session", "created_at"],
                name="spirit_turns_open",
                condition=models.Q(state__in=["queued", "active"]),
            ),
            # The few that went otherwise, for who looks for them among all.
            models.Index(fields=["degraded", "id"], name="spirit_turns_degraded", condition=~models.Q(degraded="")),
            models.Index(
                fields=["state", "id"],
                name="spirit_turns_unanswered",
                condition=models.Q(state__in=["cancelled", "failed", "withdrawn", "merged"]),
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["session"], name="spirit_turns_one_active", condition=models.Q(state="active")
            ),
            models.CheckConstraint(condition=models.Q(state__in=TurnState.values), name="spirit_turns_state"),
        ]

    def __str__(self) -> str:
        return f"turn {self.number} ({self.state})"
