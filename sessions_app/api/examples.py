"""sessions_app/api, the REST door: examples for the OpenAPI document, built from the structs: never stale."""

from datetime import UTC, datetime
from typing import Any, Literal, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec

from sessions_app import events, figures, inputs
from sessions_app.api import shapes
from sessions_app.errors import CODES, Code
from sessions_app.spirits.layouts import BoardWord, Layout, Point

NOW = datetime(2026, 11, 22, 9, 0, 0, 123000, tzinfo=UTC)
SESSION, USER, PERSON, MESSAGE, REPORT, OTHER = (
    UUID(f"019ab1c2-d3e4-7f56-8a9b-00000000000{number}") for number in range(1, 7)
)
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwMTlhYjFjMiJ9.c2lnbmF0dXJl"  # noqa: S105  shows the form of one
CSRF = "q7BmYk2Vt9sXc4LrZ0wHn8JdPfGa3EuTi6MoQx1Cy5KvRbNhSlWjUeAgDpIzOF3k"
REFRESH = "q0Yx1o6n8s3mTzQv4w2u5r7p9k-BcDeFgHiJkLmNoPQ"
_SPIRIT = events.SpiritSettings("the-spirit", "open", "ritual")
_SESSION = events.SessionData(SESSION, "Friday night", NOW, 6, True, None, USER, "open", False, 2, 17, _SPIRIT, False)
_USER = events.UserData(USER, "Ada", NOW, False)
_MESSAGE = events.MessageData(
    MESSAGE, SESSION, 17, USER, "Ada", "Is anyone there?", NOW, False, "c17", None, False, None
)
_META = shapes.AnswerMeta(timestamp=NOW)
_LAYOUT = Layout(
    "classic-en@1", "en", 1600, 1000, {"A": Point(160, 450)}, {"YES": BoardWord(210, 130, "opening")}, Point(800, 640)
)
_CARD = shapes.SpiritCard(
    "the-spirit",
    "The Spirit",
    1,
    "en",
    "Old, patient.",
    "everyone",
    "9f" * 32,
    True,
    "A program made of rules speaks here, not a person.",
)
_ACTIVITY: dict[str, Any] = {
    "people": 4, "messages": 60, "messages_per_person": 15.0, "questions": 20, "answers": 19, "degraded": 1,
    "failed": 1, "answer_latency": figures.Latency(19, 2210.5, 4310.9, 5216.2), "invites": 1, "invites_used": 1,
    "invite_joins": 3, "ack": figures.Latency(60, 3.8, 8.2, 12.0), "delivery": figures.Latency(320, 4.2, 9.0, 14.5),
}  # fmt: skip
_TOTALS = _ACTIVITY | {
    "returning": 2, "sessions_opened": 1, "sessions_ended": 1, "mean_duration_ms": 5400000.0, "mean_people": 3.2,
    "peak_people": 4,
}  # fmt: skip

SAMPLES: dict[Any, Any] = {
    events.SessionData: _SESSION,
    events.UserData: _USER,
    events.ParticipantData: events.ParticipantData(PERSON, USER, "Ada", "host", NOW, None, True, False, None),
    events.MessageData: _MESSAGE,
    shapes.Message: _MESSAGE,
    shapes.Messages: [_MESSAGE],
    shapes.AnswerMeta: _META,
    shapes.PageMeta: shapes.PageMeta(timestamp=NOW, page=1, per_page=20, total=1),
    shapes.HistoryMeta: shapes.HistoryMeta(timestamp=NOW, has_more=False, last_seq=17, epoch="5f1c0a9be2d4"),
    shapes.HostMeta: shapes.HostMeta(timestamp=NOW, host_token=TOKEN),
    shapes.PostedMeta: shapes.PostedMeta(timestamp=NOW, duplicate=False),
    shapes.SignedIn: shapes.SignedIn(_USER, TOKEN, REFRESH),
    shapes.SignedInEither: shapes.SignedIn(_USER, TOKEN, REFRESH),
    shapes.SignedInByCookie: shapes.SignedInByCookie(_USER, CSRF),
    shapes.Account: shapes.Account("ada@example.org", True, ["github"]),
    shapes.OAuthProvider: shapes.OAuthProvider("github", "GitHub", "/api/auth/oauth/github"),
    shapes.OAuthWay: shapes.OAuthWay("https://github.com/login/oauth/authorize?client_id=…"),
    shapes.Untied: shapes.Untied("github"),
    shapes.ResetSent: shapes.ResetSent(),
    shapes.VerificationSent: shapes.VerificationSent(),
    shapes.Revoked: shapes.Revoked(),
    figures.Overview: figures.Overview(
        since=NOW.date(),
        until=NOW.date(),
        as_of=NOW,
        live=figures.Live(1, 3, 4),
        total=figures.Totals(**_TOTALS),
        days=[figures.DayFigures(day=NOW.date(), **_TOTALS)],
    ),
    figures.SessionFigures: figures.SessionFigures(
        session_id=SESSION,
        as_of=NOW,
        started_at=NOW,
        ended_at=None,
        duration_ms=5400000.0,
        present=3,
        peak_people=4,
        mean_people=3.2,
        days=[figures.SessionDay(day=NOW.date(), **_ACTIVITY)],
        **_ACTIVITY,
    ),
    shapes.ReportMade: shapes.ReportMade(REPORT, "spam", NOW, "open"),
    shapes.ReportData: shapes.ReportData(
        REPORT,
        "spam",
        NOW,
        "open",
        SESSION,
        USER,
        PERSON,
        OTHER,
        "Eve",
        shapes.ReportedMessage(MESSAGE, 17, "Eve", "Buy now", False, None),
        "Again and again.",
        None,
        None,
    ),
    inputs.NewReport: inputs.NewReport(reason="spam", message_id=MESSAGE, note="Again and again."),
    inputs.CloseReport: inputs.CloseReport(state="acted"),
    shapes.InviteCode: shapes.InviteCode(
        REFRESH, f"https://seance.example/api/sessions/{SESSION}?invite={REFRESH}", 5, 0, NOW
    ),
    shapes.InviteEnd: shapes.InviteEnd(REFRESH, 2, NOW),
    shapes.SpiritCard: _CARD,
    Layout: _LAYOUT,
    shapes.Health: shapes.Health(
        status="healthy", database="connected", cache="connected", channel_layer="connected", timestamp=NOW
    ),
    shapes.Alive: shapes.Alive("healthy", NOW),
    inputs.CreateSession: inputs.CreateSession(name="Friday night", max_users=6),
    inputs.UpdateSession: inputs.UpdateSession(name="Saturday night", spirit=inputs.SpiritInput(pace="brisk")),
    inputs.PostMessage: inputs.PostMessage(text="Is anyone there?", client_msg_id="c17"),
    inputs.Mute: inputs.Mute(muted=True),
    inputs.SetRole: inputs.SetRole(role="observer"),
    inputs.NewInvite: inputs.NewInvite(max_uses=5, expires_in=86400),
    inputs.NewGuest: inputs.NewGuest(name="Ada"),
    inputs.Register: inputs.Register(email="ada@example.org", password="correct horse 7", name="Ada"),  # noqa: S106
    inputs.Credentials: inputs.Credentials(email="ada@example.org", password="correct horse 7"),  # noqa: S106
    inputs.Upgrade: inputs.Upgrade(email="ada@example.org", password="correct horse 7"),  # noqa: S106
    inputs.OAuthStart: inputs.OAuthStart(next="https://board.example/welcome"),
    inputs.OAuthCode: inputs.OAuthCode(code=REFRESH),
    inputs.EmailInput: inputs.EmailInput(email="ada@example.org"),
    inputs.NewPassword: inputs.NewPassword(token=REFRESH, password="correct horse 8"),  # noqa: S106
    inputs.ChangePassword: inputs.ChangePassword(current_password="correct horse 7", password="correct horse 8"),  # noqa: S106
    inputs.RefreshInput: inputs.RefreshInput(refresh=REFRESH),
    shapes.UpdateMe: shapes.UpdateMe(name="Ada L."),
    shapes.VerifyInput: shapes.VerifyInput(token=REFRESH),
}


def example_of(kind: Any) -> Any:
    """A JSON value of this struct: a sample, or one put together from the samples of its fields."""
    if kind in SAMPLES:
        return msgspec.to_builtins(SAMPLES[kind])
    if get_origin(kind) is list:
        return [example_of(get_args(kind)[0])]
    if get_origin(kind) is Literal:
        return get_args(kind)[0]
    hints = get_type_hints(kind, include_extras=True)
    return {field.encode_name: example_of(hints[field.name]) for field in msgspec.structs.fields(kind)}


def error_example(code: Code) -> Any:
    """An error with this code, as it is told."""
    details: dict[Code, dict[str, Any]] = {
        Code.VALIDATION_ERROR: {"name": ["This field is required."]},
        Code.RATE_LIMITED: {"retry_after_ms": 1500},
        Code.UNAVAILABLE: {"retry_after_ms": 1000},
    }
    body = shapes.ErrorBody(code, CODES[code].message, details.get(code, {}))
    return msgspec.to_builtins(shapes.Failure(error=body, meta=_META))
