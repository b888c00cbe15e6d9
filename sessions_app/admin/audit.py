"""sessions_app, the admins' room: what hosts, staff and admins did to others, to be read."""

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from sessions_app.admin.base import ReadOnlyAdmin, link
from sessions_app.models import AuditEntry, User


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin[AuditEntry]):
    """The audit log, for superusers. Ids only: what they stood for may be gone."""

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
        return link("user_change", row.actor, row.actor) if row.actor else "the server"

    @admin.display(description="session", ordering="session")
    def session_link(self, row: AuditEntry) -> SafeString | str:
        """Where."""
        return link("session_change", row.session, row.session) if row.session else ""

    def has_view_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        return isinstance(request.user, User) and request.user.is_superuser

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)
