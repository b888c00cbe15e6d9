"""sessions_app, the admins' room: what was said. Bodies are read, never written."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from sessions_app.admin.base import ReadOnlyAdmin, actor, link, report, short
from sessions_app.admin.lists import COUNTED, LATEST, SinceFilter
from sessions_app.errors import SeanceError
from sessions_app.models import Message, Session
from sessions_app.services.messages import delete_message


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin[Message]):
    """Messages of people and of the spirit, the newest first."""

    list_display = ("seq", "session_link", "who", "said", "board_line", "timestamp", "is_there")
    list_display_links = ("seq", "said")
    list_filter = (SinceFilter, "is_spirit", ("deleted_at", admin.EmptyFieldListFilter), "off_record")
    list_select_related = ("session", "user", "answer")
    search_fields = ("text", "user_name")
    search_help_text = (
        f"A part of the text or of the name, among the latest {LATEST:,}; "
        "or the whole id of a message, a session or a user."
    )
    is_log = True
    place = "seq"
    ordering = ("-id",)  # ids grow with time, and have an index
    fields = (
        "id", "session_link", "seq", "timestamp", "who", "text", "board_line", "source", "off_record",
        "reply", "client_msg_id", "deleted_at",
    )  # fmt: skip
    actions = ["delete_through_the_service"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        return super().get_queryset(request).select_related("session", "user", "answer")

    def looked_up(self, queryset: QuerySet[Message], wanted: UUID) -> QuerySet[Message]:
        """A message, all of a session, or all of a person, which has no index but those of the sessions it was in."""
        if (found := queryset.filter(pk=wanted)).exists():
            return found
        if (found := queryset.filter(session=wanted)).exists():
            return found.order_by("session", "-seq")
        places = Session.objects.filter(Q(participants__user=wanted) | Q(host=wanted))
        return queryset.filter(user_id=wanted, session__in=list(places.values_list("pk", flat=True)[:COUNTED]))

    @admin.display(description="session")
    def session_link(self, row: Message) -> SafeString:
        """Where it was said."""
        return link("session_change", row.session.name, row.session_id)

    @admin.display(description="who")
    def who(self, row: Message) -> SafeString | str:
        """Who said it, by the name of that moment."""
        if row.is_spirit:
            return "the spirit"
        return link("user_change", row.user_name, row.user_id) if row.user_id else row.user_name or "–"

    @admin.display(description="text")
    def said(self, row: Message) -> str:
        """Its beginning."""
        return short(row.text)

    @admin.display(description="the board spelt")
    def board_line(self, row: Message) -> str:
        """What the planchette spelt, for the spirit's own."""
        return str(row.answer.board_script.get("text") or "–") if row.is_spirit and hasattr(row, "answer") else "–"

    @admin.display(description="made by")
    def source(self, row: Message) -> str:
        """Where an answer came from, and why it is not what it should be."""
        if not row.is_spirit or not hasattr(row, "answer"):
            return "–"
        return f"{row.answer.source} ({row.answer.degraded})" if row.answer.degraded else row.answer.source

    @admin.display(description="in reply to")
    def reply(self, row: Message) -> SafeString | str:
        """The question."""
        return link("message_change", "the question", row.in_reply_to_id) if row.in_reply_to_id else "–"

    @admin.display(description="there", boolean=True)
    def is_there(self, row: Message) -> bool:
        """Whether it was not taken away."""
        return row.deleted_at is None

    def has_moderate_permission(self, request: HttpRequest) -> bool:
        """Whether this admin may take messages away."""
        return actor(request).has_perm("sessions_app.delete_message")

    @admin.action(description="Take selected messages away", permissions=["moderate"])
    def delete_through_the_service(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        """Delete each of them, so that its room hears of it and its question is withdrawn."""
        done, refusals = 0, []
        for row in queryset.filter(deleted_at__isnull=True).order_by("id"):
            try:
                delete_message(actor=actor(request), session_id=row.session_id, message_id=row.pk)
            except SeanceError as refused:
                refusals.append(refused)
            else:
                self.log_change(request, row, "Taken away.")
                done += 1
        report(request, self, done, refusals, "taken away")

    def get_actions(self, request: HttpRequest) -> Any:
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}
