"""sessions_app, commands: `manage.py ban`."""

from argparse import ArgumentParser
from typing import Any

from sessions_app.management.base import SeanceCommand
from sessions_app.management.operator import find_user, operator
from sessions_app.services.bans import ban, unban


class Command(SeanceCommand):
    """Shuts every door on a person at once, or opens them again; both are written into the audit log."""

    help = "Ban a user: tokens, seats and sockets end at once, everywhere. With --lift let the user in again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", metavar="USER_ID_OR_EMAIL", help="whom")
        parser.add_argument("--lift", action="store_true", help="let the user in again; what was revoked stays so")
        self.add_json(parser)

    def handle(self, *_: Any, user: str, lift: bool, as_json: bool, **__: Any) -> None:
        row = (unban if lift else ban)(actor=operator(), user_id=find_user(user).id)
        if as_json:
            self.show_json({"id": row.id, "name": row.name, "is_banned": not row.is_active})
            return
        self.show_pairs([("id", row.id), ("name", row.name), ("state", "may come in" if row.is_active else "banned")])
