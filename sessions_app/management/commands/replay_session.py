"""sessions_app, commands: `manage.py replay_session`."""

from argparse import ArgumentParser
from typing import Any

from sessions_app.management.base import Refused, SeanceCommand
from sessions_app.management.operator import operator, session_id
from sessions_app.management.progress import progress
from sessions_app.selectors.replay import replay
from sessions_app.selectors.sessions import get_session


class Command(SeanceCommand):
    """Reads only, a snapshot of one moment; exit code 1 where anything differs."""

    help = "Fold the log of a session from its beginning, and compare the result with what is stored."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", metavar="ID", help="the session's id")
        self.add_json(parser)

    def handle(self, *_: Any, id: str, as_json: bool, **__: Any) -> None:  # noqa: A002  the argument's name
        session = get_session(session_id(id), operator())
        with progress(self.stderr, "Folding", session.last_seq, color=self._color) as bar:
            found = replay(session.id, bar.at)
        if as_json:
            self.show_json(found._asdict())
        else:
            self.show_pairs(
                [("messages", found.messages), ("other events", found.events), ("differences", len(found.differences))]
            )
            for line in found.differences:
                self.show_pairs([("-", line)])
        if found.differences:
            raise Refused("The log and what is stored differ.")
