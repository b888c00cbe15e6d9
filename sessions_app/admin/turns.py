"""sessions_app, the admins' room: the log's events and the spirit's turns, to be read."""

from datetime import datetime
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from sessions_app.admin.base import ReadOnlyAdmin, link, short
from sessions_app.admin.lists import LATEST, LatestValues, SinceFilter, latest
from sessions_app.models import Event, Session, SpiritTurn


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin[Event]):
    """Entries of the log that are no messages."""

    list_display = ("seq", "session_link", "type", "timestamp")
    list_filter = ("type", "timestamp")
    list_select_related = ("session",)
    search_fields = ("type",)
    search_help_text = "A part of the type, or the whole id of a session."
    id_lookups = ("session_id",)
    place = "seq"
    ordering = ("-id",)
    fields = ("session_link", "seq", "type", "timestamp", "data")

    @admin.display(description="session")
    def session_link(self, row: Event) -> SafeString:
        """Where it happened."""
        return link("session_change", row.session.name, row.session_id)


def _seconds(begin: datetime, end: datetime | None) -> str:
    return "–" if end is None else f"{max(0.0, (end - begin).total_seconds()):.2f} s"


@admin.register(SpiritTurn)
class SpiritTurnAdmin(ReadOnlyAdmin[SpiritTurn]):
    """Questions and what became of them."""

    list_display = (
        "number", "session_link", "asker_link", "question", "state", "attempt", "source", "degraded", "provider",
        "first_move", "whole", "tokens", "cost_microcents", "created_at",
    )  # fmt: skip
    list_filter = (
        SinceFilter, "state", *((name, LatestValues) for name in ("source", "degraded", "provider", "code")),
    )  # fmt: skip
    search_fields = ("message__text",)
    search_help_text = (
        f"A part of the question, among the latest {LATEST:,} messages; "
        "or the whole id of a turn, a session or an asker."
    )
    list_per_page = 40  # each cell costs as much as a small query, and no list has as many columns
    is_log = True
    place = "number"
    ordering = ("-id",)
    fields = (
        "id", "session_link", "number", "asker_link", "question", "state", "code", "attempt", "lease_until",
        "created_at", "started_at", "ended_at", "first_move", "whole", "context_from", "context_seq", "persona_link",
        "provider", "model", "source", "degraded", "seed", "prompt_hash", "prompt_tokens", "completion_tokens",
        "cost_microcents",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[SpiritTurn]:
        return super().get_queryset(request).select_related("session", "message", "asker", "persona__persona")

    def window(self, queryset: QuerySet[SpiritTurn]) -> QuerySet[SpiritTurn]:
        """Those whose question is among the latest messages; without the second bound all turns would be looked at."""
        return latest(latest(queryset), through="message_id")

    def looked_up(self, queryset: QuerySet[SpiritTurn], wanted: UUID) -> QuerySet[SpiritTurn]:
        """A turn, all of a session, or all that somebody asked. Whichever it is asked for at once, PostgreSQL may look
        for them among all, the latest first."""
        if (found := queryset.filter(pk=wanted)).exists():
            return found
        if Session.objects.filter(pk=wanted).exists():
            return queryset.filter(session=wanted).order_by("session", "-number")
        return queryset.filter(asker=wanted)

    @admin.display(description="session")
    def session_link(self, row: SpiritTurn) -> SafeString:
        """Where it was asked."""
        return link("session_change", row.session.name, row.session_id)

    @admin.display(description="first move")
    def first_move(self, row: SpiritTurn) -> str:
        """Seconds from the question to the planchette's first move."""
        return _seconds(row.created_at, row.moves_at)

    @admin.display(description="end")
    def whole(self, row: SpiritTurn) -> str:
        """Seconds from the question to its end."""
        return _seconds(row.created_at, row.ended_at)

    @admin.display(description="tokens")
    def tokens(self, row: SpiritTurn) -> int:
        """Of the prompt and the answer together."""
        return row.prompt_tokens + row.completion_tokens

    @admin.display(description="persona")
    def persona_link(self, row: SpiritTurn) -> SafeString | str:
        """The version that answered."""
        if row.persona is None:
            return "–"
        return link("personaversion_change", f"{row.persona.persona}, {row.persona}", row.persona_id)

    @admin.display(description="asker")
    def asker_link(self, row: SpiritTurn) -> SafeString | str:
        """Who asked."""
        return link("user_change", row.asker.name, row.asker.pk) if row.asker else "–"

    @admin.display(description="question")
    def question(self, row: SpiritTurn) -> SafeString:
        """What was asked."""
        return link("message_change", short(row.message.text), row.message_id)
