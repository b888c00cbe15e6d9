"""sessions_app, commands: `manage.py spirit_exam`."""

from argparse import ArgumentParser
from typing import Any

import msgspec

from sessions_app.management.base import Refused, SeanceCommand, whole_number
from sessions_app.spirits.exam import run_exam
from sessions_app.spirits.oracle.pack import pack_locales
from sessions_app.spirits.personas import DEFAULT_SLUG, UnknownPersona


class Command(SeanceCommand):
    """Lets the oracle answer each language's corpus and whole evenings; exit code 1 where a figure is missed."""

    help = "Examine the oracle: the figures that it was accepted at, measured again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--persona", default=DEFAULT_SLUG, metavar="SLUG", help=f"default {DEFAULT_SLUG}")
        parser.add_argument(
            "--locale", choices=pack_locales(), metavar="LANGUAGE", help=f"of {', '.join(pack_locales())}; default all"
        )
        parser.add_argument(
            "--sessions",
            type=whole_number(1, 100),
            default=5,
            metavar="N",
            help="evenings of 100 questions (default 5)",
        )
        self.add_json(parser)

    def handle(self, *_: Any, persona: str, locale: str | None, sessions: int, as_json: bool, **__: Any) -> None:
        try:
            reports = [run_exam(one, persona, sessions=sessions) for one in ([locale] if locale else pack_locales())]
        except UnknownPersona as error:
            raise Refused(f"There is no persona {error}.") from None
        figures: list[dict[str, Any]] = [msgspec.to_builtins(report) for report in reports]
        if as_json:
            self.show_json(figures)
        else:
            names = [name for name in figures[0] if name not in ("faults", "contradictions")]
            self.show_table(
                ("figure", *("" for _ in figures)), [(name, *(_shown(one[name]) for one in figures)) for name in names]
            )
        if faults := [f"{report.locale}: {fault}" for report in reports for fault in report.faults]:
            raise Refused("; ".join(faults))


def _shown(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
