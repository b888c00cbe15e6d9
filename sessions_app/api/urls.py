"""sessions_app/api, the REST door: every path below /api, those that are asked most often first."""

from django.urls import URLPattern, re_path

from sessions_app.api.accounts import Auth, Me
from sessions_app.api.converters import both
from sessions_app.api.messages import Messages
from sessions_app.api.moderation import Invites, Participants
from sessions_app.api.refusals import not_found
from sessions_app.api.sessions import Sessions
from sessions_app.api.spirits import Layouts, Spirits
from sessions_app.api.stream import Events
from sessions_app.api.transcript import Transcripts

ONE = "sessions/<id:session_id>"
PERSON = f"{ONE}/participants/<id:participant_id>"
SELF = {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}

urlpatterns: list[URLPattern] = [
    *both("sessions", Sessions, {"get": "list", "post": "create"}, "sessions"),
    *both(ONE, Sessions, SELF, "session"),
    *both(f"{ONE}/history", Sessions, {"get": "history"}, "history"),
    *both(f"{ONE}/messages", Messages, {"post": "create"}, "messages"),
    *both(f"{ONE}/messages/<id:message_id>", Messages, {"delete": "destroy"}, "message"),
    *both(f"{ONE}/participants", Sessions, {"get": "participants"}, "participants"),
    *both(f"{ONE}/events", Events, {"get": "retrieve"}, "events"),
    *both(f"{PERSON}/kick", Participants, {"post": "kick"}, "kick"),
    *both(f"{PERSON}/mute", Participants, {"post": "mute"}, "mute"),
    *both(f"{PERSON}/role", Participants, {"post": "role"}, "role"),
    *both(f"{ONE}/invites", Invites, {"post": "create"}, "invites"),
    *both(f"{ONE}/invites/<str:code>", Invites, {"delete": "destroy"}, "invite"),
    *both(f"{ONE}/transcript", Transcripts, {"get": "retrieve"}, "transcript"),
    *both("spirits", Spirits, {"get": "list"}, "spirits"),
    *both("spirits/<str:slug>", Spirits, {"get": "retrieve"}, "spirit"),
    *both("board/layouts/<str:layout_id>", Layouts, {"get": "retrieve"}, "layout"),
    *both("auth/guest", Auth, {"post": "guest"}, "guest"),
    *both("auth/register", Auth, {"post": "register"}, "register"),
    *both("auth/verify", Auth, {"post": "verify"}, "verify"),
    *both("auth/token", Auth, {"post": "token"}, "token"),
    *both("auth/token/refresh", Auth, {"post": "refresh"}, "token-refresh"),
    *both("auth/token/revoke", Auth, {"post": "revoke"}, "token-revoke"),
    *both("auth/me", Me, SELF, "me"),
    # Last: in the envelope even where Django would show its own page, with DEBUG.
    re_path("", not_found),
]
