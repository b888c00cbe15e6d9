"""sessions_app, commands: `manage.py list_users`."""

from argparse import ArgumentParser
from typing import Any

from django.db.models import Count, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from sessions_app.management.base import SeanceCommand, whole_number
from sessions_app.models import Connection, User

COLUMNS = ("id", "name", "email", "joined", "kind", "sockets")


class Command(SeanceCommand):
    """Shows people, the newest first, with what each is and how many sockets are open."""

    help = "List users, the newest first: guests and accounts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        kinds = parser.add_mutually_exclusive_group()
        kinds.add_argument("--guests", action="store_true", help="only guests")
        kinds.add_argument("--accounts", action="store_true", help="only accounts")
        kinds.add_argument("--staff", action="store_true", help="only those who may use the admin")
        parser.add_argument("--banned", action="store_true", help="only those who may not come in")
        parser.add_argument("--search", metavar="TEXT", help="only those whose name or address contains this")
        parser.add_argument(
            "--limit", type=whole_number(1, 10_000), default=50, metavar="N", help="at most this many (default 50)"
        )
        self.add_json(parser)

    def handle(self, *_: Any, as_json: bool, limit: int, **options: Any) -> None:
        rows = self._rows(**options)[:limit]
        users = [
            {
                "id": row.id,
                "name": row.name,
                "email": row.email,
                "joined_at": row.joined_at,
                "kind": kind_of(row),
                "is_banned": not row.is_active,
                "sockets": row.sockets,
            }
            for row in rows
        ]
        if as_json:
            self.show_json(users)
            return
        self.show_table(
            COLUMNS,
            [
                (
                    one["id"],
                    one["name"],
                    one["email"] or "",
                    f"{one['joined_at']:%Y-%m-%d %H:%M}",
                    f"{one['kind']}, banned" if one["is_banned"] else one["kind"],
                    one["sockets"],
                )
                for one in users
            ],
        )

    @staticmethod
    def _rows(*, guests: bool, accounts: bool, staff: bool, banned: bool, search: str | None, **_: Any) -> Any:
        open_ = Connection.objects.filter(participant__user=OuterRef("pk")).order_by().values("participant__user")
        rows = User.objects.annotate(sockets=Coalesce(Subquery(open_.annotate(count=Count("pk")).values("count")), 0))
        if guests or accounts:
            rows = rows.filter(is_guest=guests)
        if staff:
            rows = rows.filter(is_staff=True)
        if banned:
            rows = rows.filter(is_active=False)
        if search:
            text = search.replace("\x00", "")
            rows = rows.filter(Q(name__icontains=text) | Q(email__icontains=text))
        return rows.order_by("-joined_at", "-id")


def kind_of(row: User) -> str:
    """What a person is, in a word."""
    return "guest" if row.is_guest else "admin" if row.is_superuser else "staff" if row.is_staff else "account"
