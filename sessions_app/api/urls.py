"""sessions_app/api, the REST door: every path below /api, those that are asked most often first."""

from django.urls import URLPattern, re_path

from sessions_app.api.accounts import Auth, Me
from sessions_app.api.analytics import Analytics
from sessions_app.api.converters import both
from sessions_app.api.messages import Messages
from sessions_app.api.moderation import Invites, Participants
from sessions_app.api.oauth import OAuth, OAuthAnswer, Providers
from sessions_app.api.refusals import not_found
from sessions_app.api.reports import Complaints, Reports, Users
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
    *both(f"{ONE}/reports", Complaints, {"post": "create"}, "session-reports"),
    *both("reports", Reports, {"get": "list"}, "reports"),
    *both("reports/<id:report_id>", Reports, {"patch": "partial_update"}, "report"),
    *both("users/<id:user_id>/ban", Users, {"post": "ban"}, "ban"),
    *both("users/<id:user_id>/unban", Users, {"post": "unban"}, "unban"),
    *both(f"{ONE}/transcript", Transcripts, {"get": "retrieve"}, "transcript"),
    *both("analytics/overview", Analytics, {"get": "overview"}, "overview"),
    *both("analytics/sessions/<id:session_id>", Analytics, {"get": "retrieve"}, "session-figures"),
    *both("spirits", Spirits, {"get": "list"}, "spirits"),
    *both("spirits/<str:slug>", Spirits, {"get": "retrieve"}, "spirit"),
    *both("board/layouts/<str:layout_id>", Layouts, {"get": "retrieve"}, "layout"),
    *both("auth/guest", Auth, {"post": "guest"}, "guest"),
    *both("auth/register", Auth, {"post": "register"}, "register"),
    *both("auth/verify", Auth, {"post": "verify"}, "verify"),
    *both("auth/token", Auth, {"post": "token"}, "token"),
    *both("auth/token/refresh", Auth, {"post": "refresh"}, "token-refresh"),
    *both("auth/token/revoke", Auth, {"post": "revoke"}, "token-revoke"),
    *both("auth/account", Me, {"get": "account"}, "account"),
    *both("auth/password", Me, {"post": "password"}, "password"),
    *both("auth/password/reset", Auth, {"post": "reset"}, "password-reset"),
    *both("auth/password/set", Auth, {"post": "set_password"}, "password-set"),
    *both("auth/upgrade", Me, {"post": "upgrade"}, "upgrade"),
    *both("auth/oauth", Providers, {"get": "list"}, "oauth-providers"),
    *both("auth/oauth/<str:provider>", OAuth, {"get": "begin", "post": "prepare", "delete": "destroy"}, "oauth"),
    *both("auth/oauth/<str:provider>/callback", OAuthAnswer, {"get": "callback"}, "oauth-callback"),
    *both("auth/oauth/<str:provider>/token", OAuthAnswer, {"post": "token"}, "oauth-token"),
    *both("auth/me", Me, SELF, "me"),
    # Last: in the envelope even where Django would show its own page, with DEBUG.
    re_path("", not_found),
]
