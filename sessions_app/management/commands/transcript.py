"""sessions_app, commands: `manage.py transcript`."""

from argparse import ArgumentParser
from typing import Any

from sessions_app.management import output
from sessions_app.management.base import SeanceCommand, until_the_reader_goes
from sessions_app.management.operator import operator, session_id
from sessions_app.management.progress import progress
from sessions_app.selectors.sessions import get_session
from sessions_app.transcripts import CHUNK, FORMS, pieces


class Command(SeanceCommand):
    """Writes the file that REST offers, a chunk at a time, so that its length does not matter."""

    help = "Write the transcript of a session, as REST offers it: what was off the record and deleted is left out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", metavar="ID", help="the session's id")
        parser.add_argument(
            "--format", choices=FORMS, default="txt", dest="form", help="the kind of file (default txt)"
        )
        parser.add_argument("--json", action="store_const", const="json", dest="form", help="the same as --format json")

    def handle(self, *_: Any, id: str, form: str, **__: Any) -> None:  # noqa: A002  the argument's name
        session = get_session(session_id(id), operator())
        shown = _on_terminal if self.stdout.isatty() else str
        with until_the_reader_goes(), progress(self.stderr, "Writing", session.last_seq, color=self._color) as bar:
            for count, piece in enumerate(pieces(session, FORMS[form]), 1):
                self.stdout.write(shown(piece), ending="")
                bar.at(min(count * CHUNK, session.last_seq))


def _on_terminal(piece: str) -> str:
    """The piece with its own line breaks, and nothing else that a terminal obeys."""
    return "\n".join(map(output.harmless, piece.split("\n")))
