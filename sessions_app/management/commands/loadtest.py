"""sessions_app, commands: `manage.py loadtest`."""

import asyncio
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from sessions_app.management.base import Refused, SeanceCommand, whole_number
from sessions_app.management.loadtest.evening import Plan, Report, hold
from sessions_app.management.progress import progress
from sessions_app.text import TEXT_MAX


def positive(given: str) -> float:
    """An argparse type: a number above 0, up to a day."""
    value = float(given)
    if not 0 < value <= 86_400:
        raise ArgumentTypeError("must be above 0, and at most 86400")
    return value


class Command(SeanceCommand):
    """Real sockets on a running server, which must let guests in; its sessions are ended afterwards. Exit code 1 where
    something was lost, doubled, reordered or not answered."""

    help = "Fill rooms on a running server with people who talk, and tell how long they wait and whether all is well."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", default="", metavar="http://HOST:PORT", help="the server (default HOST and PORT)")
        for name, highest, default, about in (
            ("rooms", 10_000, 5, "sessions"),
            ("people", 1000, 6, "people in each, up to MAX_USERS_LIMIT of the server"),
            ("size", TEXT_MAX, 40, "characters of a message"),
        ):
            parser.add_argument(
                f"--{name}", type=whole_number(1, highest), default=default, metavar="N",
                help=f"{about} (default {default})",
            )  # fmt: skip
        for name, given, about in (
            ("seconds", 10.0, "how long they talk"),
            ("rate", 1.0, "messages a second in each room"),
        ):
            parser.add_argument(f"--{name}", type=positive, default=given, help=f"{about} (default {given:g})")
        self.add_json(parser)

    def handle(self, *_: Any, url: str, as_json: bool, **options: Any) -> None:
        plan = Plan(url, *(options[name] for name in ("rooms", "people", "seconds", "rate", "size")))
        totals = {
            "Opening": plan.rooms,
            "Seating": plan.rooms * plan.people,
            "Talking": round(plan.rate * plan.rooms * plan.seconds),
        }
        with progress(self.stderr, "Opening", 100, color=self._color) as bar:
            report = asyncio.run(
                hold(plan, lambda what, done: bar.at(round(100 * done / max(1, totals.get(what, 1))), what))
            )
        if as_json:
            self.show_json({**report._asdict(), "verdict": report.verdict._asdict()})
        else:
            self.show_pairs(_pairs(report))
        if not report.verdict.holds:
            raise Refused("The promise was broken.")
        if report.gone:
            raise Refused(f"Somebody was sent away: {'; '.join(report.gone)}.")
        if report.unanswered:
            raise Refused(f"{report.unanswered} messages were neither acknowledged nor refused.")


def _pairs(report: Report) -> list[tuple[str, object]]:
    def counts(found: dict[str, int]) -> str:
        return ", ".join(f"{times} × {name}" for name, times in found.items()) or "none"

    def times(found: dict[str, float | None]) -> str:
        return ", ".join(f"{name} {ms:.1f}" for name, ms in found.items() if ms is not None) or "none"

    lost, doubled, reordered = report.verdict
    return [
        ("rooms", f"{report.rooms}, with {report.people} people in all"),
        ("sent", f"{report.sent} in {report.seconds:.1f} s, {report.acked} acknowledged"),
        ("delivered", report.delivered),
        ("ack ms", times(report.ack_ms)),
        ("delivery ms", times(report.delivery_ms)),
        ("refused", counts(report.refused)),
        ("closes", counts(report.closes)),
        ("verdict", f"{lost} lost, {doubled} doubled, {reordered} reordered"),
    ]
