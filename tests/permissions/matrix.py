"""Tests of who may do what: the table. Every REST route and every frame of a client, for every kind of caller.

A row holds what each caller gets, in the order of CALLERS, in an open session: a status over REST; over the WebSocket
`ok`, or the code of the error. `host` acts in a running session, `ended` is the same host in one that has ended.
"""

from __future__ import annotations

from typing import Any, NamedTuple

CALLERS = ("nobody", "guest", "account", "observer", "participant", "host", "staff", "banned", "ended")
STRANGERS = ("nobody", "guest", "account")

EVERYBODY = "200 200 200 200 200 200 200 401 200"
EVERYBODY_MAKES = "201 201 201 201 201 201 201 401 201"
OF_ONESELF = "401 200 200 200 200 200 200 401 200"
FOR_STAFF = "401 403 403 403 403 403 200 401 403"
NOT_TRUE = "400 400 400 400 400 400 400 401 400"
NOTHING_THERE = "404 404 404 404 404 404 404 401 404"
OVER_IT = "401 403 403 403 403 200 200 401 200"
OVER_IT_WHILE_IT_GOES_ON = "401 403 403 403 403 200 200 401 409"


class Call(NamedTuple):
    """A route with what it needs to be asked. Names in braces are filled in from the session of the test."""

    codes: str
    body: Any = None
    headers: dict[str, str] = {}  # noqa: RUF012  a tuple's default, never changed


_SESSION = "sessions/<id:session_id>"
_PERSON = f"{_SESSION}/participants/<id:participant_id>"

ROUTES: dict[str, Call] = {
    "GET sessions": Call(EVERYBODY),
    "POST sessions": Call(EVERYBODY_MAKES, {"name": "Another"}),
    f"GET {_SESSION}": Call(EVERYBODY),
    f"PATCH {_SESSION}": Call(OVER_IT_WHILE_IT_GOES_ON, {"name": "Renamed"}),
    f"DELETE {_SESSION}": Call(OVER_IT),
    f"GET {_SESSION}/history": Call(EVERYBODY),
    f"GET {_SESSION}/events": Call("200 200 200 200 200 200 200 401 409", headers={"Accept": "text/event-stream"}),
    f"GET {_SESSION}/transcript": Call(EVERYBODY),
    f"POST {_SESSION}/messages": Call("401 403 403 403 201 201 403 401 409", {"text": "Is anyone there?"}),
    f"DELETE {_SESSION}/messages/<id:message_id>": Call(OVER_IT),
    f"GET {_SESSION}/participants": Call(EVERYBODY),
    f"POST {_PERSON}/kick": Call(OVER_IT_WHILE_IT_GOES_ON, {}),
    f"POST {_PERSON}/mute": Call(OVER_IT_WHILE_IT_GOES_ON, {"muted": True}),
    f"POST {_PERSON}/role": Call(OVER_IT_WHILE_IT_GOES_ON, {"role": "observer"}),
    f"POST {_SESSION}/invites": Call("401 403 403 403 403 201 201 401 409", {}),
    f"DELETE {_SESSION}/invites/<str:code>": Call(OVER_IT),
    f"POST {_SESSION}/reports": Call(
        "401 201 201 201 201 201 201 401 201", {"reason": "spam", "message_id": "{spoken_id}"}
    ),
    "GET reports": Call(FOR_STAFF),
    "PATCH reports/<id:report_id>": Call(FOR_STAFF, {"state": "dismissed"}),
    "POST users/<id:user_id>/ban": Call(FOR_STAFF, {}),
    "POST users/<id:user_id>/unban": Call(FOR_STAFF, {}),
    "GET analytics/overview": Call(FOR_STAFF),
    "GET analytics/sessions/<id:session_id>": Call(OVER_IT),
    "GET spirits": Call(EVERYBODY),
    "GET spirits/<str:slug>": Call(EVERYBODY),
    "GET board/layouts/<str:layout_id>": Call(EVERYBODY),
    "POST auth/guest": Call(EVERYBODY_MAKES, {"name": "New"}),
    "POST auth/register": Call(
        EVERYBODY_MAKES, {"email": "new@example.org", "password": "a planchette of oak 77", "name": "New"}
    ),
    "POST auth/verify": Call(NOT_TRUE, {"token": "forged"}),
    "POST auth/password/reset": Call("202 202 202 202 202 202 202 401 202", {"email": "who@example.org"}),
    "POST auth/password/set": Call(NOT_TRUE, {"token": "forged", "password": "a planchette of oak 78"}),
    "POST auth/password": Call(
        "401 403 400 403 403 403 400 401 403", {"current_password": "wrong", "password": "a planchette of oak 78"}
    ),
    "POST auth/upgrade": Call(
        "401 200 403 200 200 200 403 401 200", {"email": "new@example.org", "password": "a planchette of oak 77"}
    ),
    "GET auth/account": Call(OF_ONESELF),
    "GET auth/oauth": Call(EVERYBODY),
    # There is no provider: whoever may ask is told so.
    "GET auth/oauth/<str:provider>": Call(NOTHING_THERE),
    "POST auth/oauth/<str:provider>": Call(NOTHING_THERE, {}),
    "DELETE auth/oauth/<str:provider>": Call("401 404 404 404 404 404 404 401 404"),
    "GET auth/oauth/<str:provider>/callback": Call(NOTHING_THERE),
    "POST auth/oauth/<str:provider>/token": Call(NOTHING_THERE, {"code": "forged"}),
    "POST auth/token": Call("401 401 401 401 401 401 401 401 401", {"email": "who@example.org", "password": "wrong"}),
    "POST auth/token/refresh": Call("401 401 401 401 401 401 401 401 401", {"refresh": "unknown"}),
    "POST auth/token/revoke": Call(EVERYBODY, {"refresh": "unknown"}),
    "GET auth/me": Call(OF_ONESELF),
    "PATCH auth/me": Call(OF_ONESELF, {"name": "Renamed"}),
    "DELETE auth/me": Call(OF_ONESELF),
}

# Who has not joined gets no further than that; whoever is banned, or comes after the end, never joins.
_OUT = "NOT_JOINED NOT_JOINED NOT_JOINED"
_NEVER = "UNAUTHORIZED SESSION_ENDED"


class Frame(NamedTuple):
    """A frame's data. Names in braces are filled in from the session of the test."""

    codes: str
    data: dict[str, Any] = {}  # noqa: RUF012  see above


FRAMES: dict[str, Frame] = {
    "join_session": Frame(f"ok ok ok FORBIDDEN FORBIDDEN FORBIDDEN FORBIDDEN {_NEVER}"),
    "leave_session": Frame(f"{_OUT} ok ok ok ok {_NEVER}"),
    "send_message": Frame(f"{_OUT} FORBIDDEN ok ok ok {_NEVER}", {"text": "Hello"}),
    "typing": Frame(f"{_OUT} FORBIDDEN ok ok ok {_NEVER}"),
    "delete_message": Frame(f"{_OUT} FORBIDDEN FORBIDDEN ok ok {_NEVER}", {"message_id": "{message_id}"}),
    "cancel_question": Frame(f"{_OUT} FORBIDDEN FORBIDDEN ok ok {_NEVER}", {"turn_id": "{turn_id}"}),
    "ask_again": Frame(f"{_OUT} FORBIDDEN FORBIDDEN ok ok {_NEVER}", {"turn_id": "{turn_id}"}),
    "kick_user": Frame(f"{_OUT} FORBIDDEN FORBIDDEN ok ok {_NEVER}", {"user_id": "{target_id}"}),
    "end_session": Frame(f"{_OUT} FORBIDDEN FORBIDDEN ok ok {_NEVER}"),
    "update_session": Frame(f"{_OUT} FORBIDDEN FORBIDDEN ok ok {_NEVER}", {"name": "Renamed"}),
    "refresh_token": Frame(f"{_OUT} ok ok ok ok {_NEVER}", {"token": "{token}"}),
    "heartbeat": Frame(f"{_OUT} ok ok ok ok {_NEVER}", {"last_seq": 0}),
}


def cases(table: dict[str, Any]) -> list[Any]:
    """(what, caller, expected code) for each cell."""
    found = []
    for what, row in table.items():
        codes = row.codes.split()
        assert len(codes) == len(CALLERS), what
        found += [(what, caller, code) for caller, code in zip(CALLERS, codes, strict=True)]
    return found
