"""sessions_app, commands: `manage.py end_session`."""

from argparse import ArgumentParser
from typing import Any

from sessions_app.management.base import SeanceCommand
from sessions_app.management.operator import operator, session_id
from sessions_app.services.sessions import end_session


class Command(SeanceCommand):
    """Ends a session; everybody in it is told and sent away. Ending it twice is the same as once."""

    help = "End a session for good; everybody in it is told. Ending it twice is the same as once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", metavar="ID", help="the session's id")
        self.add_json(parser)

    def handle(self, *_: Any, id: str, as_json: bool, **__: Any) -> None:  # noqa: A002  the argument's name
        session = end_session(actor=operator(), session_id=session_id(id))
        if as_json:
            self.show_json(session)
            return
        self.show_pairs(
            [("id", session.id), ("name", session.name), ("ended", f"{session.ended_at:%Y-%m-%d %H:%M:%S}")]
        )
