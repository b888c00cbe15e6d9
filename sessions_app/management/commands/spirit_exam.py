"""sessions_app, commands: `manage.py spirit_exam`."""

from argparse import ArgumentParser
from typing import Any

import msgspec

from sessions_app.management.base import Refused, SeanceCommand, whole_number
from sessions_app.spirits.exam import run_exam
from sessions_app.spirits.personas import DEFAULT_SLUG, UnknownPersona


class Command(SeanceCommand):
    """Lets the oracle answer its corpus and whole evenings; exit code 1 where a figure is missed."""

    help = "Examine the oracle: the figures that it was accepted at, measured again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--persona", default=DEFAULT_SLUG, metavar="SLUG", help=f"default {DEFAULT_SLUG}")
        parser.add_argument("--locale", default="en", help="default en")
        parser.add_argument(
            "--sessions",
            type=whole_number(1, 100),
            default=5,
            metavar="N",
            help="evenings of 100 questions (default 5)",
        )
        self.add_json(parser)

    def handle(self, *_: Any, persona: str, locale: str, sessions: int, as_json: bool, **__: Any) -> None:
        try:
            report = run_exam(locale, persona, sessions=sessions)
        except UnknownPersona as error:
            raise Refused(f"There is no persona {error}.") from None
        figures: dict[str, Any] = msgspec.to_builtins(report)
        if as_json:
            self.show_json(figures)
        else:
            self.show_table(
                ("figure", "value"),
                [(name, _shown(value)) for name, value in figures.items() if name not in ("faults", "contradictions")],
            )
        if report.faults:
            raise Refused("; ".join(report.faults))


def _shown(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
