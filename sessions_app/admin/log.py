"""sessions_app, the admins' room: what admins did here, to be read."""

from django.contrib import admin
from django.contrib.admin.models import LogEntry

from sessions_app.admin.base import ReadOnlyAdmin


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin[LogEntry]):
    """The admins' own log."""

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
