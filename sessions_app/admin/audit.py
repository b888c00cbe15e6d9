"""sessions_app, the admins' room: what hosts, staff and admins did to others, to be read."""

from django.contrib import admin
from django.utils.safestring import SafeString

from sessions_app.admin.base import ReadOnlyAdmin, link
from sessions_app.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin[AuditEntry]):
    """The audit log. Ids only: what they stood for may be gone."""

    list_display = ("at", "act", "actor_link", "session_link", "target", "details")
    list_filter = ("act", "at")
    search_help_text = "The whole id of an actor, a session or a target."
    search_fields = ("act",)
    id_lookups = ("actor", "session", "target")
    ordering = ("-id",)
    fields = ("id", "at", "act", "actor_link", "session_link", "target", "details")

    @admin.display(description="actor", ordering="actor")
    def actor_link(self, row: AuditEntry) -> SafeString | str:
        """Who."""
        if row.actor is None:
            return "an operator, by command" if row.details.get("by") == "operator" else "the server"
        return link("user_change", row.actor, row.actor)

    @admin.display(description="session", ordering="session")
    def session_link(self, row: AuditEntry) -> SafeString | str:
        """Where."""
        return link("session_change", row.session, row.session) if row.session else ""
