"""sessions_app, writes: open sockets that shall be closed, wherever they are.

The row says so, which each process reads within its head poll; the notice only makes it faster.
"""

from django.db.models import QuerySet

from sessions_app.models import Connection, User
from sessions_app.publish import Notice

KICKED, SIGNED_OUT = 4503, 4001


def close_sockets(rows: QuerySet[Connection], code: int) -> list[Notice]:
    """Ask for these sockets to be closed with `code`; returns what to publish."""
    found = list(rows.values_list("id", "participant__session_id"))
    Connection.objects.filter(pk__in=[key for key, _ in found]).update(close_code=code)
    return [Notice(str(session_id), "", "", close=str(key), close_code=code) for key, session_id in found]


def sockets_of(user: User) -> QuerySet[Connection]:
    """Every open socket of a person."""
    return Connection.objects.filter(participant__user=user)
