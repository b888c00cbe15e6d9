"""sessions_app, the admins' room: the queue of reports."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from sessions_app.admin.base import ReadOnlyAdmin, actor, link, short
from sessions_app.models import Report
from sessions_app.services.reports import close_report


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin[Report]):
    """Reports, the open ones first. What they tell of is one link away, and so are the ban and the deletion."""

    list_display = ("created_at", "state", "reason", "who", "said", "where", "note")
    list_filter = ("state", "reason", "created_at")
    list_select_related = ("participant", "message", "session")
    search_help_text = "The whole id of a report, a session or a user."
    search_fields = ("reason",)
    id_lookups = ("pk", "session", "participant__user", "reporter")
    ordering = ("-state", "id")
    fields = (
        "id", "created_at", "state", "reason", "note", "who", "said", "where", "by", "closed_at", "closed_by",
    )  # fmt: skip
    actions = ["dismiss", "acted"]

    @admin.display(description="who")
    def who(self, row: Report) -> SafeString | str:
        """Whoever was reported."""
        person = row.participant
        return link("user_change", person.name, person.user_id) if person is not None else ""

    @admin.display(description="what")
    def said(self, row: Report) -> SafeString | str:
        """The message that was reported."""
        message = row.message
        return link("message_change", short(message.text), message.pk) if message is not None else ""

    @admin.display(description="where")
    def where(self, row: Report) -> SafeString:
        """The session."""
        return link("session_change", row.session.name, row.session_id)

    @admin.display(description="by")
    def by(self, row: Report) -> SafeString | str:
        """Whoever reported it."""
        return link("user_change", row.reporter_id, row.reporter_id) if row.reporter_id else "somebody erased"

    def has_close_permission(self, request: HttpRequest) -> bool:
        """Whether this admin may close reports: staff, as over the API."""
        return actor(request).is_staff

    def _close(self, request: HttpRequest, queryset: Any, state: str) -> None:
        rows = list(queryset.filter(state="open"))
        for row in rows:
            close_report(actor=actor(request), report_id=row.pk, state=state)
        self.message_user(request, f"{len(rows)} closed.")

    @admin.action(description="Close: nothing to be done", permissions=["close"])
    def dismiss(self, request: HttpRequest, queryset: Any) -> None:
        """Close the selected reports."""
        self._close(request, queryset, "dismissed")

    @admin.action(description="Close: something was done", permissions=["close"])
    def acted(self, request: HttpRequest, queryset: Any) -> None:
        """Close the selected reports."""
        self._close(request, queryset, "acted")
