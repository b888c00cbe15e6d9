"""sessions_app, nouns: the audit log: what hosts, staff and admins did to others. It is only ever added to.

People and sessions are named by their ids, not by foreign keys: an entry outlives what it tells of, and nothing that
is erased or deleted reaches back into it. On PostgreSQL a trigger refuses every change; here the model does.
"""

from typing import Any, ClassVar, NoReturn

from django.db import models
from uuid_utils.compat import uuid7


class Act(models.TextChoices):
    """What can be done to others."""

    KICK = "kick", "sent away"
    MUTE = "mute", "muted"
    UNMUTE = "unmute", "given the voice back"
    ROLE = "role", "given another role"
    HOST = "host", "made the host"
    UPDATE_SESSION = "update_session", "session changed"
    END_SESSION = "end_session", "session ended"
    DELETE_SESSION = "delete_session", "session deleted"
    EXPORT_SESSION = "export_session", "session exported"
    DELETE_MESSAGE = "delete_message", "message taken away"
    CANCEL_QUESTION = "cancel_question", "question cancelled"
    CREATE_INVITE = "create_invite", "invite made"
    REVOKE_INVITE = "revoke_invite", "invite revoked"
    DROP_SOCKETS = "drop_sockets", "sockets dropped"
    RELOAD_SOCKETS = "reload_sockets", "sockets asked to come anew"
    BAN = "ban", "banned"
    UNBAN = "unban", "let in again"
    PUBLISH_PERSONA = "publish_persona", "persona published"
    HIDE_PERSONA = "hide_persona", "persona hidden"
    SIGN_OUT = "sign_out", "signed out everywhere"
    ISSUE_TOKEN = "issue_token", "token issued by command"
    UPDATE_USER = "update_user", "account changed"
    CLOSE_REPORT = "close_report", "report closed"
    CREATE_WEBHOOK = "create_webhook", "webhook made"
    UPDATE_WEBHOOK = "update_webhook", "webhook changed"
    ROTATE_WEBHOOK = "rotate_webhook", "webhook given a secret"
    DISABLE_WEBHOOK = "disable_webhook", "webhook disabled"
    DELETE_WEBHOOK = "delete_webhook", "webhook deleted"
    REPLAY_WEBHOOK = "replay_webhook", "webhook sent again"


class Appending(models.QuerySet["AuditEntry"]):
    """Rows that are not changed any more."""

    def update(self, **_: Any) -> NoReturn:
        """Refused."""
        raise TypeError("The audit log is only added to.")

    def delete(self) -> NoReturn:
        """Refused."""
        raise TypeError("The audit log is only added to.")


class AuditEntry(models.Model):
    """One act. `actor` is null where the server acted by itself; `details` never has what somebody typed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField(editable=False)
    act = models.CharField(max_length=20, choices=Act.choices)
    actor = models.UUIDField(null=True, db_index=True)
    session = models.UUIDField(null=True, db_index=True)
    target = models.UUIDField(null=True, db_index=True, help_text="Whom or what: a user, a message, an invite.")
    details = models.JSONField(default=dict)

    objects: ClassVar = Appending.as_manager()

    class Meta:
        db_table = "audit_log"
        verbose_name_plural = "audit log"

    def __str__(self) -> str:
        return f"{self.act} at {self.at:%Y-%m-%d %H:%M:%S}"

    def save(self, **options: Any) -> None:
        """Add it; an entry that is there already is not changed."""
        if not self._state.adding:
            raise TypeError("The audit log is only added to.")
        super().save(**options)

    def delete(self, using: Any | None = None, keep_parents: bool = False) -> NoReturn:
        """Refused."""
        raise TypeError("The audit log is only added to.")
