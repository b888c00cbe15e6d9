"""sessions_app, commands: `manage.py show_session`."""

from argparse import ArgumentParser
from typing import Any

from django.db.models import Count

from sessions_app.management.base import SeanceCommand
from sessions_app.management.operator import operator, session_id
from sessions_app.models import Connection, Event, Message, SpiritTurn
from sessions_app.selectors.sessions import get_session, participants

COLUMNS = ("user", "name", "role", "joined", "state")


class Command(SeanceCommand):
    """Shows one session: its settings, who is and was there, and what its tables hold."""

    help = "Show a session: its settings, its people, and how much it holds."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", metavar="ID", help="the session's id")
        self.add_json(parser)

    def handle(self, *_: Any, id: str, as_json: bool, **__: Any) -> None:  # noqa: A002  the argument's name
        session = get_session(session_id(id), operator())
        people = participants(session.id)
        turns = SpiritTurn.objects.filter(session=session.id).values_list("state").annotate(Count("pk")).order_by()
        holds = {
            "sockets": Connection.objects.filter(participant__session=session.id).count(),
            "messages": Message.objects.filter(session=session.id, deleted_at__isnull=True).count(),
            "deleted": Message.objects.filter(session=session.id, deleted_at__isnull=False).count(),
            "events": Event.objects.filter(session=session.id).count(),
            "turns": dict(turns),
        }
        if as_json:
            self.show_json({"session": session, "participants": people, "holds": holds})
            return
        ended = f"ended {session.ended_at:%Y-%m-%d %H:%M:%S}" if session.ended_at else "open"
        self.show_pairs(
            [
                ("id", session.id),
                ("name", session.name),
                ("state", f"{ended}, locked" if session.is_locked else ended),
                ("created", f"{session.created_at:%Y-%m-%d %H:%M:%S}"),
                ("host", session.host_id or "nobody"),
                ("access", f"{session.access}, listed" if session.is_listed else session.access),
                ("spirit", f"{session.spirit.persona}, {session.spirit.mode}, {session.spirit.pace}"),
                ("seats", f"{session.participant_count}/{session.max_users}"),
                ("sockets", holds["sockets"]),
                ("log", f"{session.last_seq} entries: {holds['messages']} messages, {holds['deleted']} deleted ones, "
                        f"{holds['events']} others"),
                ("turns", ", ".join(f"{count} {state}" for state, count in sorted(turns)) or "none"),
            ]
        )  # fmt: skip
        if people:
            self.show_table(
                COLUMNS,
                [
                    (
                        one.user_id,
                        one.name,
                        f"{one.role}, muted" if one.is_muted else one.role,
                        f"{one.joined_at:%Y-%m-%d %H:%M}",
                        "here" if one.is_present else f"left {one.left_at:%Y-%m-%d %H:%M}" if one.left_at else "away",
                    )
                    for one in people
                ],
            )
