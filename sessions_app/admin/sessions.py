"""sessions_app, the admins' room: sessions."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from sessions_app.admin.base import SeanceAdmin, actor, link, report, row_of
from sessions_app.admin.forms import DIALS, SessionForm
from sessions_app.admin.room import RoomPages, shown
from sessions_app.errors import SeanceError
from sessions_app.inputs import UpdateSession, read
from sessions_app.models import Event, Message, Participant, Session, SpiritTurn
from sessions_app.selectors.sessions import with_count
from sessions_app.services.sessions import delete_session, end_session, update_session


@admin.register(Session)
class SessionAdmin(SeanceAdmin[Session]):
    """All sessions. What is changed here, the room hears; an active session is ended, never deleted."""

    form = SessionForm
    list_display = ("name", "state", "people", "said", "access", "is_listed", "spirit_mode", "host_name", "created_at")
    list_filter = ("is_active", "is_listed", "access", "spirit_mode", "spirit_pace", "spirit_persona", "created_at")
    search_fields = ("name",)
    search_help_text = "A part of the name, or a whole id."
    ordering = ("-created_at",)
    list_select_related = ("host", "rollup")
    readonly_fields = (
        "id",
        "host",
        "is_active",
        "ended_at",
        "created_at",
        "last_seq",
        "epoch",
        "log",
        "spirit_version",
        "turns",
    )
    fieldsets = (
        (None, {"fields": ("id", "name", "max_users", "access", "is_listed", "is_locked", "host")}),
        (
            "The spirit",
            {
                "fields": (
                    "spirit_persona",
                    "spirit_mode",
                    "spirit_pace",
                    DIALS,
                    "spirit_theme",
                    "spirit_version",
                    "turns",
                )
            },
        ),
        ("Its course", {"fields": ("is_active", "created_at", "ended_at", "last_seq", "epoch", "log")}),
    )
    change_form_template = "admin/sessions_app/session/change_form.html"
    actions = ["end_selected"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Session]:
        return with_count(super().get_queryset(request))

    @admin.display(description="state", boolean=True, ordering="is_active")
    def state(self, row: Session) -> bool:
        """Whether it is open."""
        return row.is_active

    @admin.display(description="seats")
    def people(self, row: Any) -> SafeString:
        """Taken seats of all seats, linked to the people."""
        return link("participant_changelist", f"{row.taken}/{row.max_users}", session__id__exact=row.pk)

    @admin.display(description="messages", ordering="rollup__messages")
    def said(self, row: Session) -> SafeString:
        """How many messages of people when they were last counted, linked to all."""
        counted = row.rollup.messages if hasattr(row, "rollup") else "–"
        return link("message_changelist", counted, session__id__exact=row.pk)

    @admin.display(description="host", ordering="host__name")
    def host_name(self, row: Session) -> SafeString | str:
        """The host, linked."""
        return link("user_change", row.host.name, row.host.pk) if row.host else "–"

    @admin.display(description="turns and cost")
    def turns(self, row: Session) -> str:
        """How many turns ended how, and what models cost here."""
        found = row.turns.values("state").annotate(n=Count("pk")).order_by("state")
        states = ", ".join(f"{one['n']} {one['state']}" for one in found) or "none"
        sums = row.turns.aggregate(
            prompt=Sum("prompt_tokens"), completion=Sum("completion_tokens"), cost=Sum("cost_microcents")
        )
        tokens = f"{sums['prompt'] or 0} + {sums['completion'] or 0} tokens"
        return f"{states}; {tokens}, {(sums['cost'] or 0) / 1e8:.4f} of the currency"

    @admin.display(description="log")
    def log(self, row: Session) -> SafeString:
        """Links to all that was said, happened and was asked."""
        parts = [
            link("message_changelist", "messages", session__id__exact=row.pk),
            link("event_changelist", "events", session__id__exact=row.pk),
            link("spiritturn_changelist", "questions", session__id__exact=row.pk),
        ]
        return row_of(parts)

    @admin.action(description="End selected sessions", permissions=["change"])
    def end_selected(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        """End each of them, so that everybody in it is told and sent away."""
        done, refusals = 0, []
        for row in queryset.filter(is_active=True):
            try:
                end_session(actor=actor(request), session_id=row.pk)
            except SeanceError as refused:
                refusals.append(refused)
            else:
                self.log_change(request, row, "Ended.")
                done += 1
        report(request, self, done, refusals, "ended")

    def get_urls(self) -> list[Any]:
        return [*RoomPages(self).urls(), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The session from inside, and below it its settings."""
        session = self.get_object(request, object_id)
        may = session is not None and self.has_view_permission(request, session)
        inside = {"room": shown(request, session)} if session is not None and may else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **inside})

    def delete_model(self, request: HttpRequest, obj: Session) -> None:
        """Through the service, which writes it down."""
        delete_session(actor=actor(request), session_id=obj.pk)

    def save_model(self, request: HttpRequest, obj: Session, form: Any, change: bool) -> None:
        """Through the service: it locks the row, writes the log and tells the room."""
        given = {name: form.cleaned_data[name] for name in form.changed_data}
        spirit = {name.removeprefix("spirit_"): given.pop(name) for name in list(given) if name.startswith("spirit_")}
        values = read(UpdateSession, {**given, **({"spirit": spirit} if spirit else {})})
        update_session(actor=actor(request), session_id=obj.pk, values=values)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        """How much goes with it, in numbers: a page that listed every message would be no page."""
        ids = [row.pk for row in objs]
        counts = {
            str(model._meta.verbose_name_plural): model.objects.filter(session__in=ids).count()
            for model in (Message, Event, Participant, SpiritTurn)
        }
        lines = [*map(str, objs), *(f"{count} {name}" for name, count in counts.items() if count)]
        return lines, {"sessions": len(ids), **counts}, set(), []

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Sessions are opened by people, or by the command `create_session`."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Session | None = None) -> bool:
        """What has ended does not change."""
        return (obj is None or obj.is_active) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Session | None = None) -> bool:
        """Only what has ended, and one at a time: the action that deletes many would not look."""
        return obj is not None and not obj.is_active and super().has_delete_permission(request, obj)
