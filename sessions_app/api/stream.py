"""sessions_app/api, the REST door: the log as Server-Sent Events, up to the point where it becomes a stream.

The view decides like any other: who may read, from where, and every refusal in the envelope. What it grants is an
`EventsResponse`, whose head the server sends and whose body `realtime.sse` writes for as long as the reader stays.
"""

from typing import ClassVar, cast
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from sessions_app import health
from sessions_app.addresses import client_address
from sessions_app.api.base import Door
from sessions_app.api.openapi import operation, parameter
from sessions_app.api.sessions import READING, UNKNOWN, invite_of, known
from sessions_app.errors import Code, SeanceError
from sessions_app.security import Claims
from sessions_app.selectors.streams import Opening, open_stream

EVENT_STREAM = "text/event-stream"
HEADERS = {
    "Content-Type": EVENT_STREAM,
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would keep events back until a buffer is full
}
DRAIN_RETRY_MS = 1000
EXAMPLE = """id: 3f9d0c1a2b4e:183

id: 3f9d0c1a2b4e:184
event: message_deleted
data: {"event":"message_deleted","data":{"message_id":"0198c0de-0000-7000-8000-000000000004","by":null},\
"timestamp":"2026-11-01T20:15:00Z","seq":184}

: keep-alive

"""
LAST_EVENT_ID = parameter(
    "Last-Event-ID",
    {"type": "string", "pattern": "^[0-9A-Za-z]{1,64}:[0-9]{1,18}$"},
    "The `id` of the last event that this reader has: `<epoch>:<seq>`.",
    place="header",
)


class EventsResponse(StreamingHttpResponse):
    """The head of a stream that was granted. Where no event loop takes over, its body is empty."""

    def __init__(self, opening: Opening) -> None:
        super().__init__(iter(()), headers=HEADERS)
        self.opening = opening


class Events(Door):
    """`/api/sessions/{session_id}/events`."""

    produces: ClassVar[tuple[str, ...]] = (EVENT_STREAM,)

    @operation(
        "streamEvents", "sessions", "Follow the events of a session", answers={},
        parameters=[*READING, LAST_EVENT_ID], errors=[*UNKNOWN, Code.SESSION_ENDED],
        others={(200, EVENT_STREAM): (str, EXAMPLE)},
    )  # fmt: skip
    def retrieve(self, request: Request, session_id: UUID | None) -> HttpResponseBase:
        """Server-Sent Events: `id` is `<epoch>:<seq>`, `event` the name, `data` the frame that sockets get."""
        if health.draining:
            raise SeanceError(Code.UNAVAILABLE, retry_after_ms=DRAIN_RETRY_MS)
        claims = cast(Claims | None, request.auth)
        position: str = request.META.get("HTTP_LAST_EVENT_ID", "")
        address = client_address(request.META.get("REMOTE_ADDR"), request.META.get("HTTP_X_FORWARDED_FOR", ""))
        opening = open_stream(
            known(session_id), self.actor, position, claims=claims, invite=invite_of(request), address=address
        )
        return HttpResponse(headers=HEADERS) if request.method == "HEAD" else EventsResponse(opening)
