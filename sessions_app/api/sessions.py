"""sessions_app/api, the REST door: sessions, their people and their log."""

from unicodedata import normalize
from uuid import UUID

from django.http import HttpResponse
from msgspec import UNSET
from rest_framework.request import Request

from sessions_app import events
from sessions_app.api.base import Door
from sessions_app.api.envelope import answer, whole
from sessions_app.api.openapi import enveloped, identifier, operation, parameter
from sessions_app.api.query import PER_PAGE_MAX, SEQ_MAX, Query, page_of
from sessions_app.api.shapes import HistoryMeta, HostMeta, Messages, PageMeta
from sessions_app.errors import Code, SeanceError
from sessions_app.inputs import CreateSession, UpdateSession, read
from sessions_app.selectors import cached
from sessions_app.selectors.sessions import listed_sessions, participants, visible_session
from sessions_app.selectors.shapes import session_data
from sessions_app.services import sessions as services
from sessions_app.services.accounts import access_token

NOTHING = UUID(int=0)
ORDERINGS = ("-created_at", "created_at", "name", "-name")
INVITE_MAX = 200
HISTORY_DEFAULT, HISTORY_MAX = cached.LATEST, 200

ONE = enveloped("SessionAnswer", events.SessionData)
OPENED = enveloped("OpenedSessionAnswer", events.SessionData, HostMeta)
PAGE = enveloped("SessionPage", list[events.SessionData], PageMeta)
HISTORY = enveloped("HistoryAnswer", Messages, HistoryMeta)
PEOPLE = enveloped("ParticipantsAnswer", list[events.ParticipantData], PageMeta)
SESSION_ID = identifier("session_id", "The session's id.")
INVITE = parameter("invite", {"type": "string", "maxLength": INVITE_MAX}, "The code of an invite into this session.")
READING = [SESSION_ID, INVITE]
UNKNOWN = (Code.SESSION_NOT_FOUND, Code.FORBIDDEN)
_SEQ = {"type": "integer", "minimum": 0, "maximum": SEQ_MAX}
PAGING = [
    parameter("page", {"type": "integer", "minimum": 1, "default": 1}, "From 1; a page past the end is a 404."),
    parameter("per_page", {"type": "integer", "minimum": 1, "maximum": PER_PAGE_MAX, "default": 20}, "Rows of a page."),
]
FILTERS = [
    parameter("is_active", {"type": "boolean"}, "Only those that go on, or only those that ended."),
    parameter("search", {"type": "string"}, "Part of a name, in any case."),
    parameter("ordering", {"type": "string", "enum": list(ORDERINGS), "default": ORDERINGS[0]}, "The order."),
]
CURSORS = [
    parameter("after_seq", _SEQ, "Only messages after this position: the first `limit` of them."),
    parameter("before_seq", _SEQ, "Only messages before this position."),
    parameter(
        "limit", {"type": "integer", "minimum": 1, "maximum": HISTORY_MAX, "default": HISTORY_DEFAULT}, "How many."
    ),
]


def known(session_id: UUID | None) -> UUID:
    """The id from the path; raises `SESSION_NOT_FOUND` for what is none."""
    if session_id is None:
        raise SeanceError(Code.SESSION_NOT_FOUND)
    return session_id


def invite_of(request: Request) -> str | None:
    """The code that the caller shows; what is too long for one is none."""
    code: str = request.query_params.get("invite", "")
    return code if 0 < len(code) <= INVITE_MAX else None


def named(thing_id: UUID | None) -> UUID:
    """The id of a thing in a session, from the path; what is none names nothing, which the service says in its turn."""
    return thing_id or NOTHING


class Sessions(Door):
    """`/api/sessions` and what stands below one session."""

    @operation(
        "listSessions", "sessions", "List sessions", answers={200: PAGE}, parameters=[*PAGING, *FILTERS],
        errors=[Code.VALIDATION_ERROR, Code.NOT_FOUND],
    )  # fmt: skip
    def list(self, request: Request) -> HttpResponse:
        """Listed sessions, with a token also one's own and those one took part in; staff see all."""
        query = Query(request.query_params)
        page = query.integer("page", least=1) or 1
        per_page = query.integer("per_page", least=1, most=PER_PAGE_MAX) or 20
        is_active = query.boolean("is_active")
        ordering = query.choice("ordering", ORDERINGS, ORDERINGS[0])
        query.check()
        rows = listed_sessions(self.actor)
        if is_active is not None:
            rows = rows.filter(is_active=is_active)
        if search := request.query_params.get("search", "").strip():
            # No name has a NUL in it, and PostgreSQL refuses even to look for one.
            rows = rows.none() if "\x00" in search else rows.filter(name__icontains=normalize("NFC", search))
        rows = rows.order_by(ordering, "-id" if ordering.startswith("-") else "id")
        found, total = page_of(rows, page, per_page)
        meta = PageMeta(timestamp=events.now(), page=page, per_page=per_page, total=total)
        return answer([session_data(row, row.taken) for row in found], meta=meta)  # type: ignore[attr-defined]

    @operation("createSession", "sessions", "Open a session", answers={201: OPENED}, body=CreateSession)
    def create(self, request: Request) -> HttpResponse:
        """Without a token, where that is allowed, a fresh guest is the host, and `meta.host_token` is that guest's."""
        values = read(CreateSession, request.data)
        session, host, is_fresh = services.create_session(actor=self.actor, values=values)
        meta = HostMeta(timestamp=events.now(), host_token=access_token(host) if is_fresh else UNSET)
        return answer(session, status=201, meta=meta, headers={"Location": f"/api/sessions/{session.id}"})

    @operation("getSession", "sessions", "Read a session", answers={200: ONE}, parameters=READING, errors=UNKNOWN)
    def retrieve(self, request: Request, session_id: UUID | None) -> HttpResponse:
        """A session, as it is now."""
        return answer(cached.session(known(session_id), self.actor, invite_of(request)))

    @operation(
        "updateSession", "sessions", "Change a session", answers={200: ONE}, parameters=[SESSION_ID],
        body=UpdateSession, errors=[*UNKNOWN, Code.SESSION_ENDED], caller="known",
    )  # fmt: skip
    def partial_update(self, request: Request, session_id: UUID | None) -> HttpResponse:
        """Host and staff. Everybody in it gets `session_updated`."""
        key, values = known(session_id), read(UpdateSession, request.data)
        return answer(services.update_session(actor=self.actor, session_id=key, values=values))

    @operation(
        "endSession", "sessions", "End a session", answers={200: ONE}, parameters=[SESSION_ID], errors=UNKNOWN,
        caller="known",
    )  # fmt: skip
    def destroy(self, request: Request, session_id: UUID | None) -> HttpResponse:
        """Host and staff. Nothing is lost: it can still be read. Twice is the same as once."""
        return answer(services.end_session(actor=self.actor, session_id=known(session_id)))

    @operation(
        "getHistory", "sessions", "Read the messages of a session", answers={200: HISTORY},
        parameters=[*READING, *CURSORS], errors=[*UNKNOWN, Code.VALIDATION_ERROR],
    )  # fmt: skip
    def history(self, request: Request, session_id: UUID | None) -> HttpResponse:
        """In ascending `seq`; without a cursor the latest `limit`. Other events have a `seq` too: there may be gaps."""
        query = Query(request.query_params)
        limit = query.integer("limit", least=1, most=HISTORY_MAX) or HISTORY_DEFAULT
        after_seq, before_seq = query.integer("after_seq"), query.integer("before_seq")
        query.check()
        found, has_more, row = cached.page(
            known(session_id),
            self.actor,
            invite_of(request),
            limit=limit,
            after_seq=after_seq,
            before_seq=before_seq,
        )
        meta = HistoryMeta(timestamp=events.now(), has_more=has_more, last_seq=row.last_seq, epoch=row.epoch)
        return answer(found, meta=meta)

    @operation(
        "listParticipants", "sessions", "Who is and was there", answers={200: PEOPLE}, parameters=READING,
        errors=UNKNOWN,
    )  # fmt: skip
    def participants(self, request: Request, session_id: UUID | None) -> HttpResponse:
        """In the order of their first coming."""
        row = visible_session(known(session_id), self.actor, invite_of(request))
        return whole(participants(row.id))
