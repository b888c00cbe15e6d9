"""sessions_app, the admins' room: what admins did here, to be read."""

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.http import HttpRequest

from sessions_app.admin.base import ReadOnlyAdmin
from sessions_app.models import User


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin[LogEntry]):
    """The admins' own log, for superusers."""

    list_display = ("action_time", "user", "action_flag", "content_type", "object_repr", "what")
    list_filter = ("action_flag", "content_type", "action_time")
    list_select_related = ("user", "content_type")
    search_fields = ("object_repr",)
    id_lookups = ("object_id", "user_id")
    ordering = ("-id",)
    fields = ("action_time", "user", "action_flag", "content_type", "object_id", "object_repr", "what")

    @admin.display(description="what")
    def what(self, row: LogEntry) -> str:
        """The change in words."""
        return row.get_change_message()

    def has_view_permission(self, request: HttpRequest, obj: LogEntry | None = None) -> bool:
        return isinstance(request.user, User) and request.user.is_superuser

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)
