"""sessions_app, commands: `manage.py connections`, the open sockets and streams of all processes.

Whoever is dropped comes back by resume and has missed nothing. A reload asks for a few at a time, so that the others
stay until it is their turn, and whatever cuts the command off leaves them where they are.
"""

import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError

from sessions_app.errors import Code, SeanceError
from sessions_app.management.base import SeanceCommand
from sessions_app.management.operator import find_user, operator, session_id
from sessions_app.management.progress import progress
from sessions_app.selectors.sessions import get_session
from sessions_app.selectors.sockets import OpenSocket, open_sockets
from sessions_app.services.sockets import AT_ONCE, drop_sockets, plan_reload, reload_sockets

COLUMNS = ("id", "kind", "session", "user", "name", "role", "process", "opened", "state")
STEP_SECONDS = 0.25


def interval(given: str) -> float:
    """An argparse type: seconds from 0 to a day."""
    value = float(given)
    if not 0 <= value <= 86_400:
        raise ArgumentTypeError("must be from 0 to 86400 seconds")
    return value


class Command(SeanceCommand):
    """Lists sockets, drops them, or has them come in anew, for example to spread them over more processes."""

    help = "List open sockets and streams, drop some, or have all reconnect, spread over an interval. They resume."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True, metavar="list|drop|reload", help="what to do")
        for name, about in (
            ("list", "show open sockets and streams, the oldest first"),
            ("drop", "close sockets at once; each comes back within a second or so"),
            ("reload", "ask sockets to reconnect, a few at a time"),
        ):
            act = acts.add_parser(name, help=about, description=about)
            if name == "drop":
                act.add_argument("ids", nargs="*", type=UUID, metavar="ID", help="these sockets")
            if name == "reload":
                act.add_argument(
                    "--interval", type=interval, default=60.0, metavar="SECONDS",
                    help="how long it shall take, up to a day (default 60)",
                )  # fmt: skip
            act.add_argument("--session", metavar="ID", help="only those of this session")
            act.add_argument("--user", metavar="USER_ID_OR_EMAIL", help="only those of this user")
            act.add_argument("--process", metavar="NAME", help="only those of this server process")
            self.add_json(act)

    def handle(self, *_: Any, act: str, as_json: bool, **options: Any) -> None:
        found = self._chosen(**options)
        if act == "list":
            self._show(found, as_json=as_json)
            return
        if act == "drop":
            if not (options["ids"] or options["session"] or options["user"] or options["process"]):
                raise CommandError("Give IDs, --session, --user or --process.", returncode=2)
            missing = set(options["ids"]) - {one.id for one in found}
            if missing:
                raise SeanceError(Code.NOT_FOUND, f"No such socket is open: {min(missing)}.")
            wanted = [one for one in found if not options["ids"] or one.id in options["ids"]]
            closed = drop_sockets(actor=operator(), sockets=wanted)
        else:
            plan_reload(actor=operator(), sockets=found, seconds=options["interval"])
            closed = self._spread([one.id for one in found], options["interval"])
        if as_json:
            self.show_json({"closed": closed})
        else:
            self.show_pairs([("closed", closed)])

    @staticmethod
    def _chosen(*, session: str | None, user: str | None, process: str | None, **_: Any) -> list[OpenSocket]:
        return open_sockets(
            session_id=get_session(session_id(session), operator()).id if session else None,
            user_id=find_user(user).id if user else None,
            process=process,
        )

    def _spread(self, ids: Sequence[UUID], seconds: float) -> int:
        """Close them evenly over so many seconds; returns how many were still open when it was their turn."""
        began, asked, closed = time.monotonic(), 0, 0
        with progress(self.stderr, "Closing", len(ids), color=self._color) as bar:
            while True:
                passed = time.monotonic() - began
                due = len(ids) if passed >= seconds else int(len(ids) * passed / seconds)
                while asked < due:
                    part = ids[asked : min(due, asked + AT_ONCE)]
                    closed += reload_sockets(part)
                    asked += len(part)
                    bar.at(asked)
                if asked == len(ids):
                    return closed
                time.sleep(STEP_SECONDS)

    def _show(self, found: Sequence[OpenSocket], *, as_json: bool) -> None:
        if as_json:
            self.show_json([one._asdict() for one in found])
            return
        self.show_table(
            COLUMNS,
            [
                (
                    one.id,
                    one.kind,
                    one.session_id,
                    one.user_id or "",
                    one.name,
                    one.role,
                    one.process,
                    f"{one.opened_at:%Y-%m-%d %H:%M:%S}",
                    f"closes with {one.closing}" if one.closing else "open",
                )
                for one in found
            ],
        )
