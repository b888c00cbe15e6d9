"""sessions_app, the admins' room: its front page: how it goes now, and how it went."""

from typing import Any

from django.urls import reverse

from sessions_app.admin.charts import Chart, Series, chart, shown
from sessions_app.selectors.dashboard import HOUR, SPANS, Board, Moment, Span, board

# What close codes mean, in a word or two; all about them is at /docs/events.
CLOSES = {
    1000: "left", 1007: "no UTF-8", 1009: "frame too large", 1011: "server failed", 1012: "stopped before the join",
    4000: "server error", 4001: "signed out", 4002: "read too slowly", 4003: "no answer to a ping",
    4005: "rate limited", 4006: "sent to reconnect", 4008: "every seat taken", 4500: "no good token",
    4501: "forbidden", 4502: "bad frames", 4503: "sent away", 4505: "session ended", 4506: "no such session",
    4507: "too many of one user",
    4510: "did not join", 4511: "other version",
}  # fmt: skip


def context(name: str) -> dict[str, Any]:
    """What the template needs, over one of the spans, by default a day."""
    span = SPANS.get(name, SPANS["day"])
    found = board(span)
    most = max((times for _, times in found.closes), default=1)
    return {
        "board": found,
        "spans": [(key, one.title, one is span) for key, one in SPANS.items()],
        "charts": charts(found, span),
        "tiles": tiles(found),
        "closes": [
            (code, CLOSES.get(code, ""), shown(times), f"{100 * times / most:.1f}") for code, times in found.closes
        ],
        "busiest": [(one.session, shown(one.messages), shown(one.answers), shown(one.peak)) for one in found.busiest],
    }


def tiles(found: Board) -> list[list[tuple[str, str, str]]]:
    """Two rows of numbers, now and over the span: what it is, the number, and perhaps where it leads."""
    turns, reports = (reverse(f"admin:sessions_app_{name}_changelist") for name in ("spiritturn", "report"))
    now, total = found.live, found.total
    share, latency = _share(total), total.latency
    return [
        [
            ("live sessions", shown(now.sessions), ""),
            ("people there", shown(now.people), ""),
            ("open sockets", shown(now.sockets), ""),
            ("open questions", shown(found.questions), f"{turns}?state__in=queued,active"),
            ("open reports", shown(found.reports), f"{reports}?state__exact=open"),
        ],
        [
            ("messages", shown(total.messages), ""),
            ("answers", shown(total.answers), ""),
            ("degraded", "–" if share is None else f"{share:.1f} %", ""),
            ("failed", shown(total.failed), ""),
            ("95 % answered within", "–" if latency.p95_ms is None else f"{latency.p95_ms:,.0f} ms", ""),
        ],
    ]


def _share(one: Moment) -> float | None:
    """Per cent of the answers that were degraded."""
    return 100 * one.degraded / one.answers if one.answers else None


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else ms / 1000


def charts(found: Board, span: Span) -> list[Chart]:
    """What was said, and how the spirit did, over time."""
    moments = found.moments
    form, per = ("%d %b %H:%M", "hour") if span.step == HOUR else ("%d %b %Y", "day")
    labels = [one.at.strftime(form) for one in moments]
    latencies = [one.latency for one in moments]
    said = [
        Series("messages", "tone-a", "bars", [one.messages for one in moments]),
        Series("answers", "tone-b", "line", [one.answers for one in moments]),
    ]
    waited = [
        Series("half of them within", "tone-a", "line", [_seconds(one.p50_ms) for one in latencies]),
        Series("95 % within", "tone-b", "line", [_seconds(one.p95_ms) for one in latencies]),
    ]
    worse = [Series("degraded answers", "tone-b", "bars", [_share(one) for one in moments])]
    return [
        chart(f"Messages and answers per {per}", labels, said),
        chart("From question to answer", labels, waited, unit=" s"),
        chart("Degraded answers", labels, worse, unit=" %"),
    ]
