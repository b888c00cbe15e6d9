"""sessions_app, nouns: what has been counted. Every row but the measured ones can be made anew from the raw rows.

Days and hours are those of UTC. Rollups outlive the session they count, so that a purge does not rewrite the past:
their `session` has no constraint in the database. Durations in buckets: `sessions_app.histogram`.
"""

from typing import ClassVar

from django.conf import settings
from django.db import models

from sessions_app.models.session import Session

STALE = -1  # a `last_seq` that no session has


class SessionRollup(models.Model):
    """One session. It is up to date while `last_seq` and `presence_version` are those of the session."""

    session = models.OneToOneField(
        Session, primary_key=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="rollup"
    )
    last_seq = models.BigIntegerField(default=STALE)
    presence_version = models.BigIntegerField(default=0)
    as_of = models.DateTimeField(null=True, help_text="Up to when the time of those who are still there was added.")
    started_at = models.DateTimeField(null=True, db_index=True)
    ended_at = models.DateTimeField(null=True, db_index=True)
    people = models.PositiveIntegerField(default=0)
    present = models.PositiveIntegerField(default=0)
    peak = models.PositiveIntegerField(default=0)
    person_us = models.BigIntegerField(default=0, help_text="Microseconds that people spent there, added up.")
    messages = models.PositiveIntegerField(default=0)
    questions = models.PositiveIntegerField(default=0)
    answers = models.PositiveIntegerField(default=0)
    degraded = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    latency = models.JSONField(default=dict)
    invites = models.PositiveIntegerField(default=0)
    invites_used = models.PositiveIntegerField(default=0)
    invite_joins = models.PositiveIntegerField(default=0)

    class Meta:
        db_table = "session_rollups"

    def __str__(self) -> str:
        return f"rollup of {self.session_id}"


class SessionHour(models.Model):
    """What happened in a session in one hour: messages and questions by when they came, answers by when they ended,
    invites by when they were made."""

    session = models.ForeignKey(
        Session, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    hour = models.DateTimeField()
    messages = models.PositiveIntegerField(default=0)
    questions = models.PositiveIntegerField(default=0)
    answers = models.PositiveIntegerField(default=0)
    degraded = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    latency = models.JSONField(default=dict)
    invites = models.PositiveIntegerField(default=0)
    invites_used = models.PositiveIntegerField(default=0)
    invite_joins = models.PositiveIntegerField(default=0)

    class Meta:
        db_table = "session_hours"
        indexes: ClassVar = [models.Index(fields=["hour"], name="session_hours_hour")]
        constraints: ClassVar = [models.UniqueConstraint(fields=["session", "hour"], name="session_hours_once")]

    def __str__(self) -> str:
        return f"{self.session_id} at {self.hour:%Y-%m-%d %H:%M}"


class PersonDay(models.Model):
    """Somebody came into a session, or spoke there, on this day."""

    session = models.ForeignKey(
        Session, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False, related_name="+")
    day = models.DateField()
    messages = models.PositiveIntegerField(default=0)

    class Meta:
        db_table = "person_days"
        indexes: ClassVar = [
            models.Index(fields=["day", "user"], name="person_days_day"),
            models.Index(fields=["user", "day"], name="person_days_user"),
        ]
        constraints: ClassVar = [models.UniqueConstraint(fields=["session", "user", "day"], name="person_days_once")]

    def __str__(self) -> str:
        return f"{self.user_id} on {self.day}"


class DayRollup(models.Model):
    """One day. `returning` are those of its people who were there again on one of the seven days after it.

    `ended_us`, `ended_person_us` and `ended_peak` are of the sessions that ended on it: how long they took and the time
    that people spent there, added up in microseconds, and the most people at once in any of them.
    """

    day = models.DateField(primary_key=True)
    is_stale = models.BooleanField(default=True, db_default=True)
    sessions_opened = models.PositiveIntegerField(default=0)
    sessions_ended = models.PositiveIntegerField(default=0)
    ended_us = models.BigIntegerField(default=0, db_default=0)
    ended_person_us = models.BigIntegerField(default=0, db_default=0)
    ended_peak = models.PositiveIntegerField(default=0, db_default=0)
    people = models.PositiveIntegerField(default=0)
    returning = models.PositiveIntegerField(default=0)
    messages = models.PositiveIntegerField(default=0)
    questions = models.PositiveIntegerField(default=0)
    answers = models.PositiveIntegerField(default=0)
    degraded = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    latency = models.JSONField(default=dict)
    invites = models.PositiveIntegerField(default=0)
    invites_used = models.PositiveIntegerField(default=0)
    invite_joins = models.PositiveIntegerField(default=0)
    ack = models.JSONField(default=dict)
    delivery = models.JSONField(default=dict)

    class Meta:
        db_table = "day_rollups"
        indexes: ClassVar = [
            models.Index(fields=["day"], name="day_rollups_stale", condition=models.Q(is_stale=True)),
        ]

    def __str__(self) -> str:
        return str(self.day)


class LatencyKind(models.TextChoices):
    """What server processes measure of messages."""

    ACK = "ack", "from a message's arrival to its ack"
    DELIVERY = "delivery", "from an event's time to its being written to a socket"


class LatencyHour(models.Model):
    """Measured by the server processes, in one session and hour. Raw: there is nothing to count it from again."""

    session = models.ForeignKey(
        Session, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    hour = models.DateTimeField()
    kind = models.CharField(max_length=8, choices=LatencyKind.choices)
    buckets = models.JSONField(default=dict)

    class Meta:
        db_table = "latency_hours"
        indexes: ClassVar = [models.Index(fields=["hour"], name="latency_hours_hour")]
        constraints: ClassVar = [models.UniqueConstraint(fields=["session", "hour", "kind"], name="latency_hours_once")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.session_id} at {self.hour:%Y-%m-%d %H:%M}"


class CloseHour(models.Model):
    """How many sockets ended with a code in one hour; raw, too."""

    hour = models.DateTimeField()
    code = models.PositiveIntegerField()
    count = models.PositiveIntegerField(default=0)

    class Meta:
        db_table = "close_hours"
        constraints: ClassVar = [models.UniqueConstraint(fields=["hour", "code"], name="close_hours_once")]

    def __str__(self) -> str:
        return f"{self.code} at {self.hour:%Y-%m-%d %H:%M}"


class RollupLease(models.Model):
    """The one row that says who counts now; times are on the database's clock."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    holder = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    next_at = models.DateTimeField(null=True, help_text="When servers are to count again.")
    done_at = models.DateTimeField(null=True, help_text="When somebody was last done.")

    class Meta:
        db_table = "rollup_lease"

    def __str__(self) -> str:
        return f"held by {self.holder}"
