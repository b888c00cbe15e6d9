"""sessions_app, nouns: the log of a session. A message is an entry of its own; whatever else is durable is an `Event`.

Both take their `seq` from the session's counter, under its lock: every number from 1 to `Session.last_seq` stands in
exactly one of the two tables.
"""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from uuid_utils.compat import uuid7

from sessions_app.models.session import Session
from sessions_app.text import CLIENT_MSG_ID_MAX, TEXT_MAX, USER_NAME_MAX


class Message(models.Model):
    """What somebody, or the spirit, said. `user_name` is the name at that moment; the spirit has none."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="messages", db_index=False)
    seq = models.BigIntegerField(editable=False)
    # No index of its own: a person's messages are looked for in the sessions that the person was in.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="messages",
        db_index=False,
    )
    user_name = models.CharField(max_length=USER_NAME_MAX, null=True, blank=True)  # noqa: DJ001  null: the spirit
    text = models.CharField(max_length=TEXT_MAX)
    timestamp = models.DateTimeField(default=timezone.now, editable=False)
    is_spirit = models.BooleanField(default=False)
    client_msg_id = models.CharField(max_length=CLIENT_MSG_ID_MAX, null=True, blank=True)  # noqa: DJ001  unique if set
    in_reply_to = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="replies", db_index=False
    )
    off_record = models.BooleanField(default=False)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "messages"
        indexes: ClassVar = [
            models.Index(fields=["session", "timestamp"], name="messages_session_timestamp"),
            models.Index(
                fields=["in_reply_to"], name="messages_in_reply_to", condition=models.Q(in_reply_to__isnull=False)
            ),
            # Few of many: for whoever looks for them, and of no cost to the others.
            models.Index(fields=["id"], name="messages_deleted", condition=models.Q(deleted_at__isnull=False)),
            models.Index(fields=["id"], name="messages_off_record", condition=models.Q(off_record=True)),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["session", "seq"], name="messages_session_seq"),
            models.UniqueConstraint(
                fields=["session", "user", "client_msg_id"],
                name="messages_client_msg_id",
                condition=models.Q(client_msg_id__isnull=False),
            ),
            models.CheckConstraint(condition=models.Q(seq__gte=1), name="messages_seq"),
            models.CheckConstraint(
                condition=models.Q(text__length__gte=1, text__length__lte=TEXT_MAX), name="messages_text_length"
            ),
        ]

    def __str__(self) -> str:
        # Without a name: the admins' log keeps this, also of somebody who is erased.
        return f"{'answer' if self.is_spirit else 'message'} #{self.seq}"


class Answer(models.Model):
    """What a spirit's message has beside its text: how the board spells it, and where it came from."""

    message = models.OneToOneField(Message, primary_key=True, on_delete=models.CASCADE, related_name="answer")
    turn = models.ForeignKey("SpiritTurn", null=True, on_delete=models.SET_NULL, related_name="answers")
    board_script = models.JSONField()
    letter_timings = models.JSONField()
    word_count = models.PositiveSmallIntegerField()
    source = models.CharField(max_length=10)
    degraded = models.CharField(max_length=20, null=True, blank=True)  # noqa: DJ001  null: it is not
    starts_at = models.DateTimeField(null=True, blank=True, help_text="When the planchette begins to spell it.")

    class Meta:
        db_table = "answers"

    def __str__(self) -> str:
        return f"answer of {self.source}"


class Event(models.Model):
    """An entry of the log that is no message: a deletion, a change, an end. `data` is the frame's, as it was sent."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="events", db_index=False)
    seq = models.BigIntegerField(editable=False)
    type = models.CharField(max_length=30)
    data = models.JSONField()
    timestamp = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        db_table = "events"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["session", "seq"], name="events_session_seq"),
            models.CheckConstraint(condition=models.Q(seq__gte=1), name="events_seq"),
        ]

    def __str__(self) -> str:
        return f"{self.type} #{self.seq}"
