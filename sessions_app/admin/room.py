"""sessions_app, the admins' room: a session from inside: who is there, what was said, asked and done.

What can be done about it is a service's act, is asked about first, and leaves an entry in the audit log.
"""

from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, F, OuterRef
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from sessions_app import exports, figures
from sessions_app.admin.base import SeanceAdmin, actor
from sessions_app.downloads import download, file_name
from sessions_app.errors import SeanceError
from sessions_app.models import Act, AuditEntry, Connection, Message, Participant, Role, Session, SessionRollup, User
from sessions_app.services import moderation
from sessions_app.services.audit import record
from sessions_app.services.bans import ban
from sessions_app.services.messages import delete_message
from sessions_app.services.sessions import end_session

PEOPLE, SAID, ASKED, DONE = 100, 50, 20, 20  # rows of each table; the lists have all of them
_RIGHT = "sessions_app.change_session"


class Deed(NamedTuple):
    """Something that can be done: the question before it, the right that it takes, the word after it."""

    question: str
    right: str
    done: str
    do: Callable[[User, UUID, Any], object]


def _end(who: User, room: UUID, _: Any) -> object:
    return end_session(actor=who, session_id=room)


def _kick(who: User, room: UUID, whom: Participant) -> object:
    return moderation.kick(actor=who, session_id=room, participant_id=whom.pk)


def _host(who: User, room: UUID, whom: Participant) -> object:
    return moderation.set_role(actor=who, session_id=room, participant_id=whom.pk, role=Role.HOST)


def _ban(who: User, _: UUID, whom: Participant) -> object:
    return ban(actor=who, user_id=whom.user_id)


def _take(who: User, room: UUID, what: Message) -> object:
    return delete_message(actor=who, session_id=room, message_id=what.pk)


END = Deed("End this session? Everybody is told and sent away.", _RIGHT, "Ended.", _end)
OF_PEOPLE = {
    "kick": Deed("Send {name} away for good?", _RIGHT, "Sent away.", _kick),
    "host": Deed("Make {name} the host?", _RIGHT, "Made the host.", _host),
    "ban": Deed("Ban {name} from everything?", "sessions_app.change_user", "Banned.", _ban),
}
OF_MESSAGES = {"take": Deed("Take message {seq} away?", "sessions_app.delete_message", "Taken away.", _take)}


def shown(request: HttpRequest, session: Session) -> dict[str, Any]:
    """What the template shows of a session."""
    here = Exists(Connection.objects.filter(participant=OuterRef("pk")))
    people = session.participants.annotate(here=here).select_related("user")
    said = session.messages.select_related("answer").order_by("-seq")[:SAID]
    may = actor(request).has_perm
    audit = AuditEntry.objects.filter(session=session.pk).order_by("-id")[:DONE]
    rollup = SessionRollup.objects.filter(pk=session.pk).first()
    return {
        "people": people.order_by(F("left_at").desc(nulls_first=True), "id")[:PEOPLE],
        "said": list(said)[::-1],
        "asked": session.turns.select_related("asker", "message").order_by("-number")[:ASKED],
        "audit": audit if may("sessions_app.view_auditentry") else None,
        "rollup": rollup,
        "latency": figures.latency(rollup.latency) if rollup is not None else None,
        "may_end": session.is_active and may(END.right),
        "of_people": [name for name, deed in OF_PEOPLE.items() if session.is_active and may(deed.right)],
        "of_messages": [name for name, deed in OF_MESSAGES.items() if may(deed.right)],
        "forms": list(exports.FORMS),
    }


class RoomPages:
    """The pages below a session's own, for its `ModelAdmin`."""

    def __init__(self, model_admin: SeanceAdmin[Session]) -> None:
        self.admin = model_admin

    def urls(self) -> list[URLPattern]:
        """Their paths."""
        of = self.admin.admin_site.admin_view
        names: dict[str, tuple[str, Any]] = {
            "<uuid:pk>/end/": ("end", self.end),
            "<uuid:pk>/people/<uuid:whom>/<slug:deed>/": ("person", self.person),
            "<uuid:pk>/messages/<uuid:what>/<slug:deed>/": ("message", self.message),
            "<uuid:pk>/export/<slug:form>/": ("export", self.export),
        }
        return [path(route, of(view), name=f"sessions_app_session_{name}") for route, (name, view) in names.items()]

    def end(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """End it."""
        return self._do(request, END, pk, None)

    def person(self, request: HttpRequest, pk: UUID, whom: UUID, deed: str) -> HttpResponse:
        """Do something to somebody."""
        return self._do(request, _known(OF_PEOPLE, deed), pk, get_object_or_404(Participant, session=pk, pk=whom))

    def message(self, request: HttpRequest, pk: UUID, what: UUID, deed: str) -> HttpResponse:
        """Do something to a message."""
        return self._do(request, _known(OF_MESSAGES, deed), pk, get_object_or_404(Message, session=pk, pk=what))

    def _do(self, request: HttpRequest, deed: Deed, pk: UUID, whom: Any) -> HttpResponse:
        who = actor(request)
        if not who.has_perm(deed.right):
            raise PermissionDenied
        session = get_object_or_404(Session, pk=pk)
        back = reverse("admin:sessions_app_session_change", args=[pk])
        if request.method != "POST":
            question = deed.question.format(**{name: getattr(whom, name, "") for name in ("name", "seq")})
            context = {"title": question, "back": back, "opts": self.admin.opts}
            return TemplateResponse(
                request, "admin/ask.html", {**self.admin.admin_site.each_context(request), **context}
            )
        try:
            deed.do(who, pk, whom)
        except SeanceError as refused:
            self.admin.message_user(request, refused.message, messages.ERROR)
        else:
            self.admin.log_change(request, session, deed.done)
            self.admin.message_user(request, deed.done, messages.SUCCESS)
        return HttpResponseRedirect(back)

    def export(self, request: HttpRequest, pk: UUID, form: str) -> HttpResponseBase:
        """Everything that was said, as a file."""
        session = get_object_or_404(Session, pk=pk)
        if not self.admin.has_view_permission(request, session):
            raise PermissionDenied
        found = _known(exports.FORMS, form)
        record(Act.EXPORT_SESSION, actor=actor(request), session=session, form=form)
        name = file_name(session.name, session.pk, form)
        return download(request, found.pieces(session), name=name, media_type=found.media_type)


def _known(table: Any, name: str) -> Any:
    if name not in table:
        raise Http404
    return table[name]
