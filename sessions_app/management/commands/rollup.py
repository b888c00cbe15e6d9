"""sessions_app, commands: `manage.py rollup`."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from sessions_app.management.base import Refused, SeanceCommand
from sessions_app.management.progress import progress
from sessions_app.services.rollup import rollup


def day(given: str) -> date:
    """For argparse, which says "invalid day value" by this name."""
    return date.fromisoformat(given)


class Command(SeanceCommand):
    """The same that a server does every ROLLUP_SECONDS; safe to repeat, and to cut off."""

    help = "Bring the analytics up to date with what is stored, or with --since count anew from a day on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--since", type=day, metavar="YYYY-MM-DD", help="count this day and later ones anew")
        self.add_json(parser)

    def handle(self, *_: Any, since: date | None, as_json: bool, **__: Any) -> None:
        with progress(self.stderr, "Counting", color=self._color) as bar:
            done = rollup(since=since, tell=lambda rooms, days: bar.at(rooms, f"{rooms} sessions, {days} days"))
        if done is None:
            raise Refused("Another process is counting. Try again in a minute.")
        if as_json:
            self.show_json(done._asdict())
        else:
            self.show_pairs([("sessions", done.sessions), ("days", done.days)])
